-- Of alerts: what the rule guards, and the id of what it is about, so that lists can ask for them.
-- Made anew with row ids: a body of some kilobytes in the tree of the keys costs pages of its own.
create table items_with_filters (
    kind text not null,
    id text not null,
    state text not null,
    hall text,
    department text,
    person text,
    about text,
    topic text,
    subject text,
    -- Urgency, 0 the least.
    rank integer not null,
    -- Instants in milliseconds since 1970.
    opened_at integer not null,
    due_at integer,
    ended_at integer,
    -- The thing itself as JSON.
    body text not null,
    primary key (kind, id)
) strict;

insert into items_with_filters (
    kind, id, state, hall, department, person, about, rank, opened_at, due_at, ended_at, body
)
select kind, id, state, hall, department, person, about, rank, opened_at, due_at, ended_at, body
from items;

drop table items;
alter table items_with_filters rename to items;

create index items_by_opening on items (kind, opened_at, id);
create index items_by_state on items (kind, state, opened_at, id);
create index items_by_limit on items (kind, due_at, id) where ended_at is null;
