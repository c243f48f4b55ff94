-- Calls that left the history stay as counts by the hour, so that summaries of older times still add up.
create table call_hours (
    channel text not null,
    -- The hour in which they were made, in milliseconds since 1970.
    at integer not null,
    caller text not null,
    -- '' and 0: of these it was not known.
    version text not null,
    result text not null,
    status integer not null,
    calls integer not null,
    -- Those with a time, and their times in microseconds.
    timed integer not null,
    shortest integer,
    longest integer,
    total integer not null,
    -- How many took up to 10, 30, 100, 300 ms, 1, 3, 10 s, and longer.
    t0 integer not null,
    t1 integer not null,
    t2 integer not null,
    t3 integer not null,
    t4 integer not null,
    t5 integer not null,
    t6 integer not null,
    t7 integer not null,
    primary key (channel, at, caller, version, result, status)
) strict, without rowid;

create index call_hours_of_age on call_hours (at);

-- A call is forgotten so long after it was told of. Places rise with that instant, so the oldest need
-- no index of their own.
alter table calls add column told_at integer not null default 0;
update calls set told_at = at;
drop index calls_of_age;
