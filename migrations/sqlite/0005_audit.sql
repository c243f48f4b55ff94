-- Who did or looked at what. Rows are only ever added.
create table audit (
    id integer primary key autoincrement,
    at integer not null,
    actor text not null,
    role text not null,
    action text not null,
    object text not null,
    -- JSON
    detail text not null,
    ip text not null
) strict;

create index audit_by_actor on audit (actor, id);
create index audit_by_action on audit (action, id);
create index audit_by_object on audit (object, id);
