-- LED strips on a wire: which window each shows, and how it is reached. A device of the same name, if
-- there is one, carries what is known of the strip.
create table strips (
    hall text collate "C" not null,
    id text collate "C" not null,
    window_id text not null,
    protocol text not null,
    address text not null,
    size text not null,
    two_colours bigint not null,
    zone bigint not null,
    english bigint not null,
    primary key (hall, id)
);
