select hall, body
from tickets
where person = $1
    and issued_at < (select issued_at from tickets where hall = $2 and id = $3)
order by issued_at desc, hall desc, id desc
limit $4
