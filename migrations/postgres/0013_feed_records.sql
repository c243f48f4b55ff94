-- Records of feeds, batch by batch: what came or is to be pushed, and what became of it. Personal data
-- only as masked at the edge. A feed's own journal has the numbers of its batches.
create table feed_records (
    -- The order in which they came.
    place bigint generated always as identity primary key,
    feed text collate "C" not null,
    batch text collate "C" not null,
    id text collate "C" not null,
    -- Its row in a file.
    line bigint,
    -- Checksum of the contents as they came.
    digest text collate "C" not null,
    -- accepted, corrected, quarantined, duplicate, waiting, acknowledged or failed.
    state text collate "C" not null,
    unit text collate "C",
    -- Instants in milliseconds since 1970: when it changed at its source, came first and last, was
    -- taken or acknowledged, was held back.
    changed_at bigint,
    at bigint not null,
    seen_at bigint not null,
    arrived_at bigint,
    held_at bigint,
    -- How often it came the same.
    times bigint not null,
    attempts bigint not null default 0,
    -- When it is to be pushed next.
    next_at bigint,
    -- Why the last attempt failed.
    reason text collate "C",
    -- Whether what was held back stands on the problem list.
    listed bigint not null default 0,
    corrected_at bigint,
    corrected_by text collate "C",
    -- As it came, where that is not how it was taken; as it was taken; faults and corrections. JSON.
    original text,
    body text,
    notes text not null,
    unique (feed, batch, id)
);

create index feed_records_by_id on feed_records (feed, id, place);
create index feed_records_by_state on feed_records (feed, batch, state, place);
create index feed_records_due on feed_records (feed, next_at) where next_at is not null;
create index feed_records_held on feed_records (feed, place) where held_at is not null;
create index feed_records_of_age on feed_records (seen_at);
