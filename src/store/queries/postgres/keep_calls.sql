with kept as (
    insert into calls (
        channel, id, at, caller, version, result, status, reason, micros, trace_id, path_family, body,
        told_at
    )
    select
        channel, id, at, caller, version, result, status, reason, micros, trace_id, path_family, body,
        $2
    from json_to_recordset($1::json) as row (
        channel text, id text, at bigint, caller text, version text, result text, status bigint,
        reason text, micros bigint, trace_id text, path_family text, body text
    )
    on conflict (channel, id) do nothing
    returning place
)
select
    count(*) as kept, max(place) as last,
    '[' || string_agg(cast(place as text), ',' order by place) || ']' as places
from kept
