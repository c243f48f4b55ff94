-- Who may sign in. Lists are JSON texts; truth values are 0 or 1.
create table accounts (
    username text not null primary key,
    name text not null,
    password_hash text not null,
    roles text not null,
    -- Halls the roles count in; `*` is all of them.
    halls text not null,
    windows text not null,
    call_chosen integer not null,
    must_change_password integer not null,
    hotkeys text not null,
    disabled integer not null
) strict, without rowid;

-- Only a hash of the session's token is kept: reading the table signs nobody in.
create table sessions (
    token_hash text not null primary key,
    username text not null references accounts (username) on delete cascade,
    created_at integer not null,
    expires_at integer not null
) strict, without rowid;

create index sessions_by_username on sessions (username);

create table devices (
    id text not null primary key,
    name text not null,
    kind text not null,
    hall text not null,
    token_hash text not null unique,
    created_at integer not null
) strict;
