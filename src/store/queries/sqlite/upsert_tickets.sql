-- The day of issue stays as it was first written.
insert into tickets (
    hall, id, day, issued_day, number, round, service, state, "window", clerk, channel, class,
    green, tags, holder_kind, name_masked, id_masked, phone_masked, person, appointment,
    issued_at, first_called_at, started_at, ended_at, calls, requeues, wait_secs, service_secs,
    stars, rated_at, body
)
select
    value ->> 'hall', value ->> 'id', value ->> 'day', value ->> 'issued_day',
    value ->> 'number', value ->> 'round', value ->> 'service', value ->> 'state',
    value ->> 'window', value ->> 'clerk', value ->> 'channel', value ->> 'class',
    value ->> 'green', value ->> 'tags', value ->> 'holder_kind', value ->> 'name_masked',
    value ->> 'id_masked', value ->> 'phone_masked', value ->> 'person', value ->> 'appointment',
    value ->> 'issued_at', value ->> 'first_called_at', value ->> 'started_at',
    value ->> 'ended_at', value ->> 'calls', value ->> 'requeues', value ->> 'wait_secs',
    value ->> 'service_secs', value ->> 'stars', value ->> 'rated_at', value ->> 'body'
from json_each($1)
where true
order by value ->> 'state' in ('called', 'serving')
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
