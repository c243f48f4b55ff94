-- Cases are rows of `items`, written with the events of the case desk.
drop table cases;

-- Whose cases they are; `person` is the keyed hash of a document, as in tickets. It stands here and
-- not in the case, so that nobody who sees a case sees it.
create table case_holders (
    person text collate "C" not null,
    case_no text collate "C" not null,
    primary key (person, case_no)
);

-- At which tickets they were registered: a ticket that is completed and not here was served without
-- registration.
create table case_tickets (
    hall text collate "C" not null,
    ticket bigint not null,
    case_no text collate "C" not null,
    primary key (hall, ticket, case_no)
);
