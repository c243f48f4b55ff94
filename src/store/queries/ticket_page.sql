select tickets.hall, tickets.body
from (
    select hall as page_hall, id as page_id, SORT_KEY as page_key
    from tickets
    where CONDITIONS
    order by SORT_KEY DIRECTION, hall DIRECTION, id DIRECTION
    limit ROWS
) as page
join tickets on tickets.hall = page.page_hall and tickets.id = page.page_id
order by page.page_key DIRECTION, tickets.hall DIRECTION, tickets.id DIRECTION
