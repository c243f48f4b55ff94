-- The streams whose head stands where the step begins, under this owner and epoch.
select heads.stream
from json_each($1) as step
cross join heads
where heads.stream = step.value ->> 'stream'
    and heads.owner = $2
    and heads.epoch = step.value ->> 'epoch'
    and heads.seq = step.value ->> 'before'
