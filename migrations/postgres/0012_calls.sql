-- Calls of API channels, as they were told: the history that statistics, refusals and drill-down go by.
create table calls (
    -- The order in which they were told.
    place bigint generated always as identity primary key,
    channel text collate "C" not null,
    id text collate "C" not null,
    -- When it was made, in milliseconds since 1970.
    at bigint not null,
    caller text collate "C" not null,
    version text collate "C",
    -- ok, failed or refused.
    result text collate "C" not null,
    status bigint,
    -- Why it failed, or the code of the refusal.
    reason text collate "C",
    micros bigint,
    trace_id text collate "C",
    path_family text collate "C",
    -- Request and response, masked, as JSON.
    body text not null,
    unique (channel, id)
);

create index calls_by_time on calls (channel, at, place);
create index calls_of_age on calls (at);
