insert into sessions (token_hash, username, created_at, expires_at) values ($1, $2, $3, $4)
