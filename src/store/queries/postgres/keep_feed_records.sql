insert into feed_records (
    feed, batch, id, line, digest, state, unit, changed_at, at, seen_at, arrived_at, held_at, times,
    next_at, original, body, notes
)
select
    feed, batch, id, line, digest, state, unit, changed_at, at, at, arrived_at, held_at, times,
    next_at, original, body, notes
from json_to_recordset($1::json) as row (
    feed text, batch text, id text, line bigint, digest text, state text, unit text,
    changed_at bigint, at bigint, arrived_at bigint, held_at bigint, times bigint, next_at bigint,
    original text, body text, notes text
)
on conflict (feed, batch, id) do update set
    line = excluded.line, digest = excluded.digest, state = excluded.state, unit = excluded.unit,
    changed_at = excluded.changed_at, seen_at = excluded.seen_at, arrived_at = excluded.arrived_at,
    held_at = coalesce(feed_records.held_at, excluded.held_at), times = feed_records.times
        + case when excluded.state = 'duplicate' then excluded.times else 0 end,
    attempts = 0, next_at = excluded.next_at, reason = null, listed = 0, corrected_at = null, corrected_by = null,
    original = excluded.original, body = excluded.body, notes = excluded.notes
