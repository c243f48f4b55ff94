-- The journal is the truth; every other table is a projection of it or stands beside it.

-- Where each stream stands, and who may write it: a hall's by its id, that of a machine beside the
-- halls by `@` and its name. The owner is drawn afresh by every process; the epoch rises each time
-- a process takes the stream, and fences off older writers.
create table heads (
    stream text not null primary key,
    owner text not null,
    epoch integer not null,
    seq integer not null
) strict, without rowid;

-- Clustered by stream, so that new events of one lie side by side. `at` is in milliseconds
-- since 1970; `body` is the event as JSON, verbatim.
create table events (
    stream text not null,
    seq integer not null,
    at integer not null,
    kind text not null,
    by text not null,
    body text not null,
    primary key (stream, seq)
) strict, without rowid;

-- Only the newest snapshot of each stream is kept.
create table snapshots (
    stream text not null primary key,
    seq integer not null,
    body text not null
) strict;

-- Commands already carried out: `count` events from `first_seq` on.
create table idempotency (
    stream text not null,
    key text not null,
    fingerprint text not null,
    first_seq integer not null,
    count integer not null,
    at integer not null,
    primary key (stream, key)
) strict, without rowid;

create index idempotency_by_age on idempotency (at);
