-- `person` is the keyed hash of a document, as in tickets.
create table person_tags (
    person text collate "C" not null,
    tag text collate "C" not null,
    added_at bigint not null,
    by text not null,
    primary key (person, tag)
);

-- What other systems tell of a person's cases, for the console.
create table cases (
    case_no text collate "C" not null primary key,
    person text collate "C" not null,
    item text not null,
    state text not null,
    department text not null,
    due_at bigint,
    updated_at bigint not null
);

create index cases_by_person on cases (person, updated_at);
