-- Rows of lists: cases, alerts, work orders, problems and messages, as they are after the last event
-- that touched them. A projection: it can be dropped and rebuilt from the journal.
create table items (
    kind text not null,
    id text not null,
    state text not null,
    -- Whose people may see it; null is only for those who may see every hall.
    hall text,
    department text,
    person text,
    about text,
    -- Urgency, 0 the least.
    rank integer not null,
    -- Instants in milliseconds since 1970.
    opened_at integer not null,
    due_at integer,
    ended_at integer,
    -- The thing itself as JSON.
    body text not null,
    primary key (kind, id)
) strict, without rowid;

create index items_by_opening on items (kind, opened_at, id);
create index items_by_state on items (kind, state, opened_at, id);
create index items_by_limit on items (kind, due_at, id) where ended_at is null;
