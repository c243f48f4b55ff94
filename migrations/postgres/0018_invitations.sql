-- Invitations to rate, made on the rater of the window where a ticket was completed.
create table invitations (
    hall text collate "C" not null,
    ticket bigint not null,
    number text collate "C" not null,
    window_id text collate "C" not null,
    device text collate "C" not null,
    -- asked, answered, rated, texting, texted or left.
    state text collate "C" not null,
    -- Why nobody was told otherwise; null where nothing went wrong.
    reason text collate "C",
    -- Where the holder can rate on a phone.
    link text collate "C" not null,
    -- Instants in milliseconds since 1970.
    asked_at bigint not null,
    answered_at bigint,
    -- Attempts to send the text message, and when the next is due.
    attempts bigint not null default 0,
    next_at bigint,
    primary key (hall, ticket)
);

create index invitations_open on invitations (state, asked_at);
create index invitations_by_time on invitations (hall, asked_at);

-- Numbers of phones that a text message may have to go to, sealed with a key that is not in the database.
-- A number goes when it is not needed any more, after a day at the latest.
create table contacts (
    hall text collate "C" not null,
    ticket bigint not null,
    sealed text collate "C" not null,
    expires_at bigint not null,
    primary key (hall, ticket)
);
