select count(*) as completed,
    coalesce(sum(case when exists (
        select 1 from case_tickets
        where case_tickets.hall = tickets.hall and case_tickets.ticket = tickets.id
    ) then 1 else 0 end), 0) as linked
from tickets
where tickets.hall = $1 and tickets.day = $2 and tickets.state = 'completed'
