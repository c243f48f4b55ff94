-- Who did or looked at what. Rows are only ever added.
create table audit (
    id bigint generated always as identity primary key,
    at bigint not null,
    actor text collate "C" not null,
    role text not null,
    action text collate "C" not null,
    object text collate "C" not null,
    -- JSON
    detail text not null,
    ip text not null
);

create index audit_by_actor on audit (actor, id);
create index audit_by_action on audit (action, id);
create index audit_by_object on audit (object, id);
