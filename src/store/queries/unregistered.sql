select id, number, service, tickets."window", ended_at
from tickets
where hall = $1 and day = $2 and state = 'completed' and id > $3
    and not exists (
        select 1 from case_tickets
        where case_tickets.hall = tickets.hall and case_tickets.ticket = tickets.id
    )
order by id
limit $4
