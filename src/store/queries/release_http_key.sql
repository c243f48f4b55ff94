delete from http_keys where scope = $1 and key = $2 and status is null
