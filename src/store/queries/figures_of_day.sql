select service, state, count(*) as tickets
from tickets
where hall = $1 and day = $2
group by service, state
order by service
