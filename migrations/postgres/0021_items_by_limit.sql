-- Only what has a limit is looked for by it: most alerts have none, and each cost an entry while it was open.
drop index items_by_limit;
create index items_by_limit on items (kind, due_at, id) where ended_at is null and due_at is not null;
