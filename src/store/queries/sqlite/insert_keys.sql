insert into idempotency (hall, key, fingerprint, first_seq, count, at)
select
    value ->> 'hall', value ->> 'key', value ->> 'fingerprint', value ->> 'first_seq',
    value ->> 'count', value ->> 'at'
from json_each($1)
