-- The journal is the truth; every other table is a projection of it or stands beside it.
-- Texts that are sorted or compared carry collation "C": the same order as in SQLite.

-- Where each stream stands, and who may write it: a hall's by its id, that of a machine beside the
-- halls by `@` and its name. The owner is drawn afresh by every process; the epoch rises each time
-- a process takes the stream, and fences off older writers.
-- Half-filled pages leave room for updates in place.
create table heads (
    stream text collate "C" not null primary key,
    owner text not null,
    epoch bigint not null,
    seq bigint not null
) with (fillfactor = 50);

-- `at` is in milliseconds since 1970; `body` is the event as JSON, verbatim.
create table events (
    stream text collate "C" not null,
    seq bigint not null,
    at bigint not null,
    kind text not null,
    by text not null,
    body text not null,
    primary key (stream, seq)
);

-- Only the newest snapshot of each stream is kept.
create table snapshots (
    stream text collate "C" not null primary key,
    seq bigint not null,
    body text not null
);

-- Commands already carried out: `count` events from `first_seq` on.
create table idempotency (
    stream text collate "C" not null,
    key text collate "C" not null,
    fingerprint text not null,
    first_seq bigint not null,
    count bigint not null,
    at bigint not null,
    primary key (stream, key)
);

create index idempotency_by_age on idempotency (at);
