insert into person_tags (person, tag, added_at, by) values ($1, $2, $3, $4)
on conflict (person, tag) do nothing
