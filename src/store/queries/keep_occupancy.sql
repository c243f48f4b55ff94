insert into occupancy (hall, source, people, at, told_by) values ($1, $2, $3, $4, $5)
on conflict (hall, source) do update set
    people = excluded.people, at = excluded.at, told_by = excluded.told_by
