delete from idempotency where (hall, key) in (
    select hall, key from idempotency where at < $1 limit 2000
)
