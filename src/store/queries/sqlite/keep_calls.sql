with rows as materialized (select value as row from jsonb_each($1))
insert into calls (
    channel, id, at, caller, version, result, status, reason, micros, trace_id, path_family, body,
    told_at
)
select
    row ->> 'channel', row ->> 'id', row ->> 'at', row ->> 'caller', row ->> 'version',
    row ->> 'result', row ->> 'status', row ->> 'reason', row ->> 'micros', row ->> 'trace_id',
    row ->> 'path_family', row ->> 'body', $2
from rows
where true
on conflict (channel, id) do nothing;

select changes() as kept, last_insert_rowid() as last, null as places
