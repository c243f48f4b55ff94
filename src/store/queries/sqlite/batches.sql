-- A whole batch as one statement: `insert into batches values (…)`, each value a JSON array.
--
-- The views hold nothing; their triggers write. One statement is one exchange with the database's
-- thread and needs no way back from half of it, and outside a transaction it is its own: done or
-- not done. It fails if not every head stands where its step begins, and then writes nothing.
--
-- What most batches have nothing of has a view of its own, whose trigger looks first whether there is
-- anything to do: a statement that joins a list prepares a table in memory for it, empty or not, and
-- so does one that inserts what it selects into a view.
--
-- Lists are parsed once, not once per row and column: `jsonb_each` gives rows that need no parsing,
-- and `limit -1 offset 0` keeps the select around it from asking for the row again with each column.

create temp view batches (steps, owner, events, keys, crossing, tickets, items) as
select null, null, null, null, null, null, null;

create temp view keys_of_batch (keys) as select null;
create temp view crossing_of_batch (crossing) as select null;
create temp view tickets_of_batch (tickets) as select null;
create temp view items_of_batch (items) as select null;

-- A ticket as it is now, whether it was there before or not: the columns of `tickets`, in their order.
create temp view ticket_rows as select * from tickets;

-- One event and the ticket that it concerns, as most commands are that come alone: parsing lists takes
-- such a one longer than writing does. The hall is the stream.
create temp view lone_append as
select
    null as owner, null as epoch, null as before, null as seq, null as at, null as kind, null as by,
    null as event, null as key, null as fingerprint, tickets.*
from tickets;

create temp trigger write_batch instead of insert on batches
begin
    update heads set seq = step.value ->> 'last'
    from jsonb_each(new.steps) as step
    where heads.stream = step.value ->> 'stream'
        and heads.owner = new.owner
        and heads.epoch = step.value ->> 'epoch'
        and heads.seq = step.value ->> 'before';

    select raise(abort, 'fenced') where changes() <> json_array_length(new.steps);

    insert into events (stream, seq, at, kind, by, body)
    select
        row ->> 'stream', row ->> 'seq', row ->> 'at', row ->> 'kind', row ->> 'by',
        row ->> 'body'
    from (select value as row from jsonb_each(new.events) limit -1 offset 0);

    insert into keys_of_batch values (new.keys);
    insert into crossing_of_batch values (new.crossing);
    insert into tickets_of_batch values (new.tickets);
    insert into items_of_batch values (new.items);
end;

create temp trigger write_keys instead of insert on keys_of_batch
when new.keys <> '[]'
begin
    insert into idempotency (stream, key, fingerprint, first_seq, count, at)
    select
        row ->> 'stream', row ->> 'key', row ->> 'fingerprint', row ->> 'first_seq',
        row ->> 'count', row ->> 'at'
    from (select value as row from jsonb_each(new.keys) limit -1 offset 0);
end;

-- Tickets that go to another window leave theirs first; the upsert says where they go.
create temp trigger write_crossing instead of insert on crossing_of_batch
when new.crossing <> '[]'
begin
    update tickets set state = 'waiting'
    from jsonb_each(new.crossing) as row
    where tickets.hall = row.value ->> 'hall'
        and tickets.id = row.value ->> 'id'
        and tickets.state in ('called', 'serving')
        and tickets."window" <> row.value ->> 'window';
end;

create temp trigger write_tickets instead of insert on tickets_of_batch
when new.tickets <> '[]'
begin
    -- Those that leave a window stand before those that come to one.
    insert into ticket_rows
    select
        row ->> 'hall', row ->> 'id', row ->> 'day', row ->> 'issued_day',
        row ->> 'number', row ->> 'round', row ->> 'service', row ->> 'state',
        row ->> 'window', row ->> 'clerk', row ->> 'channel', row ->> 'class',
        row ->> 'green', row ->> 'tags', row ->> 'holder_kind', row ->> 'name_masked',
        row ->> 'id_masked', row ->> 'phone_masked', row ->> 'person', row ->> 'appointment',
        row ->> 'issued_at', row ->> 'first_called_at', row ->> 'started_at',
        row ->> 'ended_at', row ->> 'calls', row ->> 'requeues', row ->> 'wait_secs',
        row ->> 'service_secs', row ->> 'stars', row ->> 'rated_at', row ->> 'body'
    from (select value as row from jsonb_each(new.tickets) limit -1 offset 0);
end;

create temp trigger write_items instead of insert on items_of_batch
when new.items <> '[]'
begin
    insert into items (
        kind, id, state, hall, department, person, about, topic, subject, rank, opened_at, due_at,
        ended_at, body
    )
    select
        row ->> 'kind', row ->> 'id', row ->> 'state', row ->> 'hall', row ->> 'department',
        row ->> 'person', row ->> 'about', row ->> 'topic', row ->> 'subject', row ->> 'rank',
        row ->> 'opened_at', row ->> 'due_at', row ->> 'ended_at', row ->> 'body'
    from (select value as row from jsonb_each(new.items) limit -1 offset 0)
    where true
    on conflict (kind, id) do update set
        state = excluded.state, hall = excluded.hall, department = excluded.department,
        person = excluded.person, about = excluded.about, topic = excluded.topic,
        subject = excluded.subject, rank = excluded.rank, opened_at = excluded.opened_at,
        due_at = excluded.due_at, ended_at = excluded.ended_at, body = excluded.body;
end;

-- A ticket's number, and the day and instant of its issue, stay as first written. SQLite writes an
-- entry of an index again, and so a page more, whenever a column of it is assigned, changed or not: day
-- and person, which seldom change, are therefore left to a statement of their own.
create temp trigger write_ticket instead of insert on ticket_rows
begin
    insert into tickets (
        hall, id, day, issued_day, number, round, service, state, "window", clerk, channel, class,
        green, tags, holder_kind, name_masked, id_masked, phone_masked, person, appointment,
        issued_at, first_called_at, started_at, ended_at, calls, requeues, wait_secs, service_secs,
        stars, rated_at, body
    )
    values (
        new.hall, new.id, new.day, new.issued_day, new.number, new.round, new.service, new.state,
        new."window", new.clerk, new.channel, new.class, new.green, new.tags, new.holder_kind,
        new.name_masked, new.id_masked, new.phone_masked, new.person, new.appointment,
        new.issued_at, new.first_called_at, new.started_at, new.ended_at, new.calls, new.requeues,
        new.wait_secs, new.service_secs, new.stars, new.rated_at, new.body
    )
    on conflict (hall, id) do update set
        service = excluded.service, state = excluded.state, "window" = excluded."window",
        clerk = excluded.clerk, channel = excluded.channel, class = excluded.class,
        green = excluded.green, tags = excluded.tags, holder_kind = excluded.holder_kind,
        name_masked = excluded.name_masked, id_masked = excluded.id_masked,
        phone_masked = excluded.phone_masked,
        appointment = excluded.appointment, first_called_at = excluded.first_called_at,
        started_at = excluded.started_at, ended_at = excluded.ended_at, calls = excluded.calls,
        requeues = excluded.requeues, wait_secs = excluded.wait_secs,
        service_secs = excluded.service_secs, stars = excluded.stars,
        rated_at = excluded.rated_at, body = excluded.body;

    update tickets set day = new.day, person = new.person
    where hall = new.hall
        and id = new.id
        and (day <> new.day or person is not new.person);
end;

create temp trigger write_lone_append instead of insert on lone_append
begin
    update heads set seq = new.seq
    where stream = new.hall
        and owner = new.owner
        and epoch = new.epoch
        and seq = new.before;

    select raise(abort, 'fenced') where changes() <> 1;

    insert into events (stream, seq, at, kind, by, body)
    values (new.hall, new.seq, new.at, new.kind, new.by, new.event);

    insert into idempotency (stream, key, fingerprint, first_seq, count, at)
    select new.hall, new.key, new.fingerprint, new.seq, 1, new.at
    where new.key is not null;

    insert into ticket_rows
    values (
        new.hall, new.id, new.day, new.issued_day, new.number, new.round, new.service, new.state,
        new."window", new.clerk, new.channel, new.class, new.green, new.tags, new.holder_kind,
        new.name_masked, new.id_masked, new.phone_masked, new.person, new.appointment,
        new.issued_at, new.first_called_at, new.started_at, new.ended_at, new.calls, new.requeues,
        new.wait_secs, new.service_secs, new.stars, new.rated_at, new.body
    );
end;
