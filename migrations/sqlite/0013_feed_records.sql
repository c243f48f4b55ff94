-- Records of feeds, batch by batch: what came or is to be pushed, and what became of it. Personal data
-- only as masked at the edge. A feed's own journal has the numbers of its batches.
create table feed_records (
    -- The order in which they came.
    place integer primary key autoincrement,
    feed text not null,
    batch text not null,
    id text not null,
    -- Its row in a file.
    line integer,
    -- Checksum of the contents as they came.
    digest text not null,
    -- accepted, corrected, quarantined, duplicate, waiting, acknowledged or failed.
    state text not null,
    unit text,
    -- Instants in milliseconds since 1970: when it changed at its source, came first and last, was
    -- taken or acknowledged, was held back.
    changed_at integer,
    at integer not null,
    seen_at integer not null,
    arrived_at integer,
    held_at integer,
    -- How often it came the same.
    times integer not null,
    attempts integer not null default 0,
    -- When it is to be pushed next.
    next_at integer,
    -- Why the last attempt failed.
    reason text,
    -- Whether what was held back stands on the problem list.
    listed integer not null default 0,
    corrected_at integer,
    corrected_by text,
    -- As it came, where that is not how it was taken; as it was taken; faults and corrections. JSON.
    original text,
    body text,
    notes text not null,
    unique (feed, batch, id)
) strict;

create index feed_records_by_id on feed_records (feed, id, place);
create index feed_records_by_state on feed_records (feed, batch, state, place);
create index feed_records_due on feed_records (feed, next_at) where next_at is not null;
create index feed_records_held on feed_records (feed, place) where held_at is not null;
create index feed_records_of_age on feed_records (seen_at);
