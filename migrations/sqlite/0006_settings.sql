-- What belongs to the installation, such as its secret.
create table settings (
    key text not null primary key,
    value text not null
) strict, without rowid;

-- Answers to requests with a client's key that change no hall. `status` and `body` are empty
-- while the first request is under way.
create table http_keys (
    scope text not null,
    key text not null,
    fingerprint text not null,
    status integer,
    body text,
    at integer not null,
    primary key (scope, key)
) strict;

create index http_keys_by_age on http_keys (at);
