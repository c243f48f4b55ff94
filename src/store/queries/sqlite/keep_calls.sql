-- Each call is an array: its values are found by their places sooner than by names.
with rows as materialized (select value as row from jsonb_each($1))
insert into calls (
    channel, id, at, caller, version, result, status, reason, micros, trace_id, path_family, body,
    told_at
)
select
    row ->> 0, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6, row ->> 7,
    row ->> 8, row ->> 9, row ->> 10, row ->> 11, $2
from rows
where true
on conflict (channel, id) do nothing;

select changes() as kept, last_insert_rowid() as last, null as places
