with rows as materialized (select value as row from jsonb_each($1))
insert into feed_records (
    feed, batch, id, digest, state, at, seen_at, arrived_at, times, attempts, next_at, reason, notes
)
select
    row ->> 'feed', row ->> 'batch', row ->> 'id', '', row ->> 'state', row ->> 'at', row ->> 'at',
    row ->> 'arrived_at', 1, 1, row ->> 'next_at', row ->> 'reason', '{}'
from rows
where true
on conflict (feed, batch, id) do update set
    state = excluded.state, seen_at = excluded.seen_at, arrived_at = excluded.arrived_at,
    attempts = feed_records.attempts + 1, next_at = excluded.next_at, reason = excluded.reason
where feed_records.state in ('waiting', 'failed')
