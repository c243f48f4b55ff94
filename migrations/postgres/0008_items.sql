-- Rows of lists: cases, alerts, work orders, problems and messages, as they are after the last event
-- that touched them. A projection: it can be dropped and rebuilt from the journal.
create table items (
    kind text collate "C" not null,
    id text collate "C" not null,
    state text collate "C" not null,
    -- Whose people may see it; null is only for those who may see every hall.
    hall text collate "C",
    department text collate "C",
    person text collate "C",
    about text collate "C",
    -- Urgency, 0 the least.
    rank bigint not null,
    -- Instants in milliseconds since 1970.
    opened_at bigint not null,
    due_at bigint,
    ended_at bigint,
    -- The thing itself as JSON.
    body text not null,
    primary key (kind, id)
);

create index items_by_opening on items (kind, opened_at, id);
create index items_by_state on items (kind, state, opened_at, id);
create index items_by_limit on items (kind, due_at, id) where ended_at is null;
