delete from idempotency where (stream, key) in (
    select stream, key from idempotency where at < $1 limit 2000
)
