insert into devices (id, name, kind, hall, token_hash, created_at)
values ($1, $2, $3, $4, $5, $6)
