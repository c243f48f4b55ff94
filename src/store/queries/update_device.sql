update devices set name = $2, token_hash = $3, zone_id = $4, window_id = $5, muted = $6
where id = $1
