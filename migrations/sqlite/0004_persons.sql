-- `person` is the keyed hash of a document, as in tickets.
create table person_tags (
    person text not null,
    tag text not null,
    added_at integer not null,
    by text not null,
    primary key (person, tag)
) strict, without rowid;

-- What other systems tell of a person's cases, for the console.
create table cases (
    case_no text not null primary key,
    person text not null,
    item text not null,
    state text not null,
    department text not null,
    due_at integer,
    updated_at integer not null
) strict;

create index cases_by_person on cases (person, updated_at);
