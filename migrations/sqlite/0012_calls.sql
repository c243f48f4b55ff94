-- Calls of API channels, as they were told: the history that statistics, refusals and drill-down go by.
create table calls (
    -- The order in which they were told.
    place integer primary key autoincrement,
    channel text not null,
    id text not null,
    -- When it was made, in milliseconds since 1970.
    at integer not null,
    caller text not null,
    version text,
    -- ok, failed or refused.
    result text not null,
    status integer,
    -- Why it failed, or the code of the refusal.
    reason text,
    micros integer,
    trace_id text,
    path_family text,
    -- Request and response, masked, as JSON.
    body text not null,
    unique (channel, id)
) strict;

create index calls_by_time on calls (channel, at, place);
create index calls_of_age on calls (at);
