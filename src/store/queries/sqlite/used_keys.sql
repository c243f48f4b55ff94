select used.stream, used.key, used.fingerprint, used.first_seq, used.count
from json_each($1) as asked
cross join idempotency as used
where used.stream = asked.value ->> 'stream' and used.key = asked.value ->> 'key'
