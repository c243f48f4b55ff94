-- A whole batch: $1 steps, $2 owner, $3 events, $4 keys, $5 tickets that may cross windows, $6 tickets,
-- $7 items.
-- The lists are parsed once, not once per row and column.

update heads set seq = step.value ->> 'last'
from json_each($1) as step
where heads.stream = step.value ->> 'stream'
    and heads.owner = $2
    and heads.epoch = step.value ->> 'epoch'
    and heads.seq = step.value ->> 'before';

-- How many heads moved: the one row that this batch returns.
select changes();

with rows as materialized (select value as row from jsonb_each($3))
insert into events (stream, seq, at, kind, by, body)
select
    row ->> 'stream', row ->> 'seq', row ->> 'at', row ->> 'kind', row ->> 'by',
    row ->> 'body'
from rows;

with rows as materialized (select value as row from jsonb_each($4))
insert into idempotency (stream, key, fingerprint, first_seq, count, at)
select
    row ->> 'stream', row ->> 'key', row ->> 'fingerprint', row ->> 'first_seq',
    row ->> 'count', row ->> 'at'
from rows;

-- Tickets that go to another window leave theirs first; the upsert says where they go.
update tickets set state = 'waiting'
from json_each($5) as row
where tickets.hall = row.value ->> 'hall'
    and tickets.id = row.value ->> 'id'
    and tickets.state in ('called', 'serving')
    and tickets."window" <> row.value ->> 'window';

-- The day of issue stays as it was first written.
with rows as materialized (select value as row from jsonb_each($6))
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
    rated_at = excluded.rated_at, body = excluded.body;

with rows as materialized (select value as row from jsonb_each($7))
insert into items (
    kind, id, state, hall, department, person, about, topic, subject, rank, opened_at, due_at,
    ended_at, body
)
select
    row ->> 'kind', row ->> 'id', row ->> 'state', row ->> 'hall', row ->> 'department',
    row ->> 'person', row ->> 'about', row ->> 'topic', row ->> 'subject', row ->> 'rank',
    row ->> 'opened_at', row ->> 'due_at', row ->> 'ended_at', row ->> 'body'
from rows
where true
on conflict (kind, id) do update set
    state = excluded.state, hall = excluded.hall, department = excluded.department,
    person = excluded.person, about = excluded.about, topic = excluded.topic,
    subject = excluded.subject, rank = excluded.rank, opened_at = excluded.opened_at,
    due_at = excluded.due_at, ended_at = excluded.ended_at, body = excluded.body;
