-- Calls that left the history stay as counts by the hour, so that summaries of older times still add up.
create table call_hours (
    channel text collate "C" not null,
    -- The hour in which they were made, in milliseconds since 1970.
    at bigint not null,
    caller text collate "C" not null,
    -- '' and 0: of these it was not known.
    version text collate "C" not null,
    result text collate "C" not null,
    status bigint not null,
    calls bigint not null,
    -- Those with a time, and their times in microseconds.
    timed bigint not null,
    shortest bigint,
    longest bigint,
    total bigint not null,
    -- How many took up to 10, 30, 100, 300 ms, 1, 3, 10 s, and longer.
    t0 bigint not null,
    t1 bigint not null,
    t2 bigint not null,
    t3 bigint not null,
    t4 bigint not null,
    t5 bigint not null,
    t6 bigint not null,
    t7 bigint not null,
    primary key (channel, at, caller, version, result, status)
);

create index call_hours_of_age on call_hours (at);

-- A call is forgotten so long after it was told of. Places rise with that instant, so the oldest need
-- no index of their own.
alter table calls add column told_at bigint not null default 0;
update calls set told_at = at;
drop index calls_of_age;
