delete from http_keys where (scope, key) in (
    select scope, key from http_keys where at < $1 limit 2000
)
