-- Rows are locked in the order of halls, so that two processes with many halls in common wait for
-- each other instead of blocking each other for good.
with step as (
    select * from json_to_recordset($1::json) as s (hall text, epoch bigint, before bigint, last bigint)
), locked as (
    select hall from hall_heads where hall in (select hall from step) order by hall for update
)
update hall_heads set seq = step.last
from step
join locked on locked.hall = step.hall
where hall_heads.hall = step.hall
    and hall_heads.owner = $2
    and hall_heads.epoch = step.epoch
    and hall_heads.seq = step.before
returning hall_heads.hall
