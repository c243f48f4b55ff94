select used.stream, used.key, used.fingerprint, used.first_seq, used.count
from json_to_recordset($1::json) as asked (stream text, key text)
join idempotency as used on used.stream = asked.stream and used.key = asked.key
