-- Rows are locked in the order of streams, so that two processes with many streams in common wait for
-- each other instead of blocking each other for good.
with step as (
    select * from json_to_recordset($1::json) as s (stream text, epoch bigint, before bigint, last bigint)
), locked as (
    select stream from heads where stream in (select stream from step) order by stream for update
)
update heads set seq = step.last
from step
join locked on locked.stream = step.stream
where heads.stream = step.stream
    and heads.owner = $2
    and heads.epoch = step.epoch
    and heads.seq = step.before
returning heads.stream
