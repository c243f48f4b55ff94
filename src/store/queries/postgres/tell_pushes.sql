insert into feed_records (
    feed, batch, id, digest, state, at, seen_at, arrived_at, times, attempts, next_at, reason, notes
)
select feed, batch, id, '', state, at, at, arrived_at, 1, 1, next_at, reason, '{}'
from json_to_recordset($1::json) as row (
    feed text, batch text, id text, state text, at bigint, arrived_at bigint, next_at bigint,
    reason text
)
on conflict (feed, batch, id) do update set
    state = excluded.state, seen_at = excluded.seen_at, arrived_at = excluded.arrived_at,
    attempts = feed_records.attempts + 1, next_at = excluded.next_at, reason = excluded.reason
where feed_records.state in ('waiting', 'failed')
