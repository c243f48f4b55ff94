insert into items (
    kind, id, state, hall, department, person, about, topic, subject, rank, opened_at, due_at,
    ended_at, body
)
select
    kind, id, state, hall, department, person, about, topic, subject, rank, opened_at, due_at,
    ended_at, body
from json_to_recordset($1::json) as row (
    kind text, id text, state text, hall text, department text, person text, about text,
    topic text, subject text, rank bigint, opened_at bigint, due_at bigint, ended_at bigint, body text
)
on conflict (kind, id) do update set
    state = excluded.state, hall = excluded.hall, department = excluded.department,
    person = excluded.person, about = excluded.about, topic = excluded.topic,
    subject = excluded.subject, rank = excluded.rank, opened_at = excluded.opened_at,
    due_at = excluded.due_at, ended_at = excluded.ended_at, body = excluded.body
