-- Each row is parsed once, not once per column.
-- The day of issue stays as it was first written.
with rows as materialized (select jsonb(value) as row from json_each($1))
insert into tickets (
    hall, id, day, issued_day, number, round, service, state, "window", clerk, channel, class,
    green, tags, holder_kind, name_masked, id_masked, phone_masked, person, appointment,
    issued_at, first_called_at, started_at, ended_at, calls, requeues, wait_secs, service_secs,
    stars, rated_at, body
)
select
    row ->> 'hall', row ->> 'id', row ->> 'day', row ->> 'issued_day',
    row ->> 'number', row ->> 'round', row ->> 'service', row ->> 'state',
    row ->> 'window', row ->> 'clerk', row ->> 'channel', row ->> 'class',
    row ->> 'green', row ->> 'tags', row ->> 'holder_kind', row ->> 'name_masked',
    row ->> 'id_masked', row ->> 'phone_masked', row ->> 'person', row ->> 'appointment',
    row ->> 'issued_at', row ->> 'first_called_at', row ->> 'started_at',
    row ->> 'ended_at', row ->> 'calls', row ->> 'requeues', row ->> 'wait_secs',
    row ->> 'service_secs', row ->> 'stars', row ->> 'rated_at', row ->> 'body'
from rows
where true
order by row ->> 'state' in ('called', 'serving')
on conflict (hall, id) do update set
    day = excluded.day, number = excluded.number, round = excluded.round,
    service = excluded.service, state = excluded.state, "window" = excluded."window",
    clerk = excluded.clerk, channel = excluded.channel, class = excluded.class,
    green = excluded.green, tags = excluded.tags, holder_kind = excluded.holder_kind,
    name_masked = excluded.name_masked, id_masked = excluded.id_masked,
    phone_masked = excluded.phone_masked, person = excluded.person,
    appointment = excluded.appointment, issued_at = excluded.issued_at,
    first_called_at = excluded.first_called_at, started_at = excluded.started_at,
    ended_at = excluded.ended_at, calls = excluded.calls, requeues = excluded.requeues,
    wait_secs = excluded.wait_secs, service_secs = excluded.service_secs, stars = excluded.stars,
    rated_at = excluded.rated_at, body = excluded.body
