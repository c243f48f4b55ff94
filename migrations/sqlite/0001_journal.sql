-- The journal is the truth; every other table is a projection of it or stands beside it.

-- Where each hall's journal stands, and who may write it. The owner is drawn afresh by every
-- process; the epoch rises each time a process takes the hall, and fences off older writers.
create table hall_heads (
    hall text not null primary key,
    owner text not null,
    epoch integer not null,
    seq integer not null
) strict, without rowid;

-- Clustered by hall, so that new events of one hall lie side by side. `at` is in milliseconds
-- since 1970; `body` is the event as JSON, verbatim.
create table events (
    hall text not null,
    seq integer not null,
    at integer not null,
    kind text not null,
    by text not null,
    body text not null,
    primary key (hall, seq)
) strict, without rowid;

-- Only the newest snapshot of each hall is kept.
create table snapshots (
    hall text not null primary key,
    seq integer not null,
    body text not null
) strict;

-- Commands already carried out: `count` events from `first_seq` on.
create table idempotency (
    hall text not null,
    key text not null,
    fingerprint text not null,
    first_seq integer not null,
    count integer not null,
    at integer not null,
    primary key (hall, key)
) strict, without rowid;

create index idempotency_by_age on idempotency (at);
