insert into cases (case_no, person, item, state, department, due_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (case_no) do update set
    person = excluded.person, item = excluded.item, state = excluded.state,
    department = excluded.department, due_at = excluded.due_at, updated_at = excluded.updated_at
where excluded.updated_at >= cases.updated_at
