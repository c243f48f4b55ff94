-- Tickets as they stand, written with the events that made them so: a projection that may be
-- dropped and rebuilt. Personal data only as masked at the edge.
create table tickets (
    hall text collate "C" not null,
    id bigint not null,
    -- The business day it is counted in, as ISO text; a ticket carried over moves to the next.
    day text collate "C" not null,
    -- The day it was given out. It never changes, so a number carried over does not stand in the
    -- way of the same number given out again once that one is free.
    issued_day text collate "C" not null,
    number text collate "C" not null,
    round bigint not null,
    service text collate "C" not null,
    state text collate "C" not null,
    "window" text collate "C",
    clerk text collate "C",
    channel text not null,
    class text,
    green bigint,
    tags text not null,
    holder_kind text,
    name_masked text,
    id_masked text,
    phone_masked text,
    -- Keyed hash of the document, for earlier visits.
    person text collate "C",
    appointment text,
    issued_at bigint not null,
    first_called_at bigint,
    started_at bigint,
    ended_at bigint,
    calls bigint not null,
    requeues bigint not null,
    wait_secs bigint,
    service_secs bigint,
    stars bigint,
    rated_at bigint,
    -- The whole ticket as JSON.
    body text not null,
    primary key (hall, id),
    unique (hall, issued_day, number, round)
);

-- Belt: one window, one ticket.
create unique index tickets_at_window on tickets (hall, "window")
    where state in ('called', 'serving');

-- A day's tickets in order of issue. It holds no column that changes with each command, so that only
-- the issue of a ticket writes it; the other filters look at the day's rows themselves.
create index tickets_by_day on tickets (hall, day, issued_at, id);

create index tickets_by_person on tickets (person, issued_at) where person is not null;
