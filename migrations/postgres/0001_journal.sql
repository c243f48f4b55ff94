-- The journal is the truth; every other table is a projection of it or stands beside it.
-- Texts that are sorted or compared carry collation "C": the same order as in SQLite.

-- Where each hall's journal stands, and who may write it. The owner is drawn afresh by every
-- process; the epoch rises each time a process takes the hall, and fences off older writers.
-- Half-filled pages leave room for updates in place.
create table hall_heads (
    hall text collate "C" not null primary key,
    owner text not null,
    epoch bigint not null,
    seq bigint not null
) with (fillfactor = 50);

-- `at` is in milliseconds since 1970; `body` is the event as JSON, verbatim.
create table events (
    hall text collate "C" not null,
    seq bigint not null,
    at bigint not null,
    kind text not null,
    by text not null,
    body text not null,
    primary key (hall, seq)
);

-- Only the newest snapshot of each hall is kept.
create table snapshots (
    hall text collate "C" not null primary key,
    seq bigint not null,
    body text not null
);

-- Commands already carried out: `count` events from `first_seq` on.
create table idempotency (
    hall text collate "C" not null,
    key text collate "C" not null,
    fingerprint text not null,
    first_seq bigint not null,
    count bigint not null,
    at bigint not null,
    primary key (hall, key)
);

create index idempotency_by_age on idempotency (at);
