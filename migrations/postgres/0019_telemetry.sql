-- What on-line services told of their use; each event once.
create table telemetry_events (
    id text collate "C" not null primary key,
    -- When it happened, in milliseconds since 1970.
    at bigint not null,
    -- visit or case.
    happened text collate "C" not null,
    -- handling, query, publication or page.
    class text collate "C" not null,
    -- Of the item; of a page that is no item the code of its application.
    code text collate "C" not null,
    name text collate "C" not null,
    department text collate "C",
    region text collate "C" not null,
    -- All that was told, masked, as JSON.
    body text collate "C" not null
);

create index telemetry_by_time on telemetry_events (at, class, code);
