select channel, count(*) as tickets
from tickets
where hall = $1 and day = $2
group by channel
order by channel
