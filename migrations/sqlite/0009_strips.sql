-- LED strips on a wire: which window each shows, and how it is reached. A device of the same name, if
-- there is one, carries what is known of the strip.
create table strips (
    hall text not null,
    id text not null,
    window_id text not null,
    protocol text not null,
    address text not null,
    size text not null,
    two_colours integer not null,
    zone integer not null,
    english integer not null,
    primary key (hall, id)
) strict, without rowid;
