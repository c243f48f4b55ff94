-- What on-line services told of their use; each event once.
create table telemetry_events (
    id text not null primary key,
    -- When it happened, in milliseconds since 1970.
    at integer not null,
    -- visit or case.
    happened text not null,
    -- handling, query, publication or page.
    class text not null,
    -- Of the item; of a page that is no item the code of its application.
    code text not null,
    name text not null,
    department text,
    region text not null,
    -- All that was told, masked, as JSON.
    body text not null
) strict, without rowid;

create index telemetry_by_time on telemetry_events (at, class, code);
