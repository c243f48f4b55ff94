-- Who may sign in. Lists are JSON texts; truth values are 0 or 1, as in SQLite.
create table accounts (
    username text collate "C" not null primary key,
    name text not null,
    password_hash text not null,
    roles text not null,
    -- Halls the roles count in; `*` is all of them.
    halls text not null,
    windows text not null,
    call_chosen bigint not null,
    must_change_password bigint not null,
    hotkeys text not null,
    disabled bigint not null
);

-- Only a hash of the session's token is kept: reading the table signs nobody in.
create table sessions (
    token_hash text collate "C" not null primary key,
    username text collate "C" not null references accounts (username) on delete cascade,
    created_at bigint not null,
    expires_at bigint not null
);

create index sessions_by_username on sessions (username);

create table devices (
    id text collate "C" not null primary key,
    name text not null,
    kind text not null,
    hall text not null,
    token_hash text collate "C" not null unique,
    created_at bigint not null
);
