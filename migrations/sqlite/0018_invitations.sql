-- Invitations to rate, made on the rater of the window where a ticket was completed.
create table invitations (
    hall text not null,
    ticket integer not null,
    number text not null,
    window_id text not null,
    device text not null,
    -- asked, answered, rated, texting, texted or left.
    state text not null,
    -- Why nobody was told otherwise; null where nothing went wrong.
    reason text,
    -- Where the holder can rate on a phone.
    link text not null,
    -- Instants in milliseconds since 1970.
    asked_at integer not null,
    answered_at integer,
    -- Attempts to send the text message, and when the next is due.
    attempts integer not null default 0,
    next_at integer,
    primary key (hall, ticket)
) strict, without rowid;

create index invitations_open on invitations (state, asked_at);
create index invitations_by_time on invitations (hall, asked_at);

-- Numbers of phones that a text message may have to go to, sealed with a key that is not in the database.
-- A number goes when it is not needed any more, after a day at the latest.
create table contacts (
    hall text not null,
    ticket integer not null,
    sealed text not null,
    expires_at integer not null,
    primary key (hall, ticket)
) strict, without rowid;
