insert into idempotency (hall, key, fingerprint, first_seq, count, at)
select hall, key, fingerprint, first_seq, count, at
from json_to_recordset($1::json) as row (
    hall text, key text, fingerprint text, first_seq bigint, count bigint, at bigint
)
