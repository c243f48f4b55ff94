insert into devices (id, name, kind, hall, token_hash, created_at, zone_id, window_id, muted, seen_at, report)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
