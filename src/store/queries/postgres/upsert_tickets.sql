-- Number, day and instant of issue stay as they were first written.
insert into tickets (
    hall, id, day, issued_day, number, round, service, state, "window", clerk, channel, class,
    green, tags, holder_kind, name_masked, id_masked, phone_masked, person, appointment,
    issued_at, first_called_at, started_at, ended_at, calls, requeues, wait_secs, service_secs,
    stars, rated_at, body
)
select
    hall, id, day, issued_day, number, round, service, state, "window", clerk, channel, class,
    green, tags, holder_kind, name_masked, id_masked, phone_masked, person, appointment,
    issued_at, first_called_at, started_at, ended_at, calls, requeues, wait_secs, service_secs,
    stars, rated_at, body
from json_to_recordset($1::json) as row (
    hall text, id bigint, day text, issued_day text, number text, round bigint, service text,
    state text, "window" text, clerk text, channel text, class text, green bigint, tags text,
    holder_kind text, name_masked text, id_masked text, phone_masked text, person text,
    appointment text, issued_at bigint, first_called_at bigint, started_at bigint,
    ended_at bigint, calls bigint, requeues bigint, wait_secs bigint, service_secs bigint,
    stars bigint, rated_at bigint, body text
)
order by state in ('called', 'serving')
on conflict (hall, id) do update set
    day = excluded.day, service = excluded.service, state = excluded.state,
    "window" = excluded."window", clerk = excluded.clerk, channel = excluded.channel,
    class = excluded.class, green = excluded.green, tags = excluded.tags,
    holder_kind = excluded.holder_kind, name_masked = excluded.name_masked,
    id_masked = excluded.id_masked, phone_masked = excluded.phone_masked,
    person = excluded.person, appointment = excluded.appointment,
    first_called_at = excluded.first_called_at, started_at = excluded.started_at,
    ended_at = excluded.ended_at, calls = excluded.calls, requeues = excluded.requeues,
    wait_secs = excluded.wait_secs, service_secs = excluded.service_secs, stars = excluded.stars,
    rated_at = excluded.rated_at, body = excluded.body
