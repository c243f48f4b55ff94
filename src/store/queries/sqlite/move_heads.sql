update hall_heads set seq = step.value ->> 'last'
from json_each($1) as step
where hall_heads.hall = step.value ->> 'hall'
    and hall_heads.owner = $2
    and hall_heads.epoch = step.value ->> 'epoch'
    and hall_heads.seq = step.value ->> 'before'
returning hall_heads.hall
