with rows as materialized (select value as row from jsonb_each($1))
insert into feed_records (
    feed, batch, id, line, digest, state, unit, changed_at, at, seen_at, arrived_at, held_at, times,
    next_at, original, body, notes
)
select
    row ->> 'feed', row ->> 'batch', row ->> 'id', row ->> 'line', row ->> 'digest',
    row ->> 'state', row ->> 'unit', row ->> 'changed_at', row ->> 'at', row ->> 'at',
    row ->> 'arrived_at', row ->> 'held_at', row ->> 'times', row ->> 'next_at',
    row ->> 'original', row ->> 'body', row ->> 'notes'
from rows
where true
on conflict (feed, batch, id) do update set
    line = excluded.line, digest = excluded.digest, state = excluded.state, unit = excluded.unit,
    changed_at = excluded.changed_at, seen_at = excluded.seen_at, arrived_at = excluded.arrived_at,
    held_at = coalesce(feed_records.held_at, excluded.held_at), times = feed_records.times
        + case when excluded.state = 'duplicate' then excluded.times else 0 end,
    attempts = 0, next_at = excluded.next_at, reason = null, listed = 0, corrected_at = null, corrected_by = null,
    original = excluded.original, body = excluded.body, notes = excluded.notes
