-- The halls whose head stands where the step begins, under this owner and epoch.
select hall_heads.hall
from json_each($1) as step
cross join hall_heads
where hall_heads.hall = step.value ->> 'hall'
    and hall_heads.owner = $2
    and hall_heads.epoch = step.value ->> 'epoch'
    and hall_heads.seq = step.value ->> 'before'
