-- What belongs to the installation, such as its secret.
create table settings (
    key text collate "C" not null primary key,
    value text not null
);

-- Answers to requests with a client's key that change no hall. `status` and `body` are empty
-- while the first request is under way.
create table http_keys (
    scope text collate "C" not null,
    key text collate "C" not null,
    fingerprint text not null,
    status bigint,
    body text,
    at bigint not null,
    primary key (scope, key)
);

create index http_keys_by_age on http_keys (at);
