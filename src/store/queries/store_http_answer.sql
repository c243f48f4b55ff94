update http_keys set status = $3, body = $4 where scope = $1 and key = $2
