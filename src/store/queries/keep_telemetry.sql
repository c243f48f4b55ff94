insert into telemetry_events (id, at, happened, class, code, name, department, region, body, result, region_name)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (id) do nothing
