select used.hall, used.key, used.fingerprint, used.first_seq, used.count
from json_to_recordset($1::json) as asked (hall text, key text)
join idempotency as used on used.hall = asked.hall and used.key = asked.key
