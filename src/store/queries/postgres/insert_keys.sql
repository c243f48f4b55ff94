insert into idempotency (stream, key, fingerprint, first_seq, count, at)
select stream, key, fingerprint, first_seq, count, at
from json_to_recordset($1::json) as row (
    stream text, key text, fingerprint text, first_seq bigint, count bigint, at bigint
)
