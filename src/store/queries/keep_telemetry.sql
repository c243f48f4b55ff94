insert into telemetry_events (id, at, happened, class, code, name, department, region, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (id) do nothing
