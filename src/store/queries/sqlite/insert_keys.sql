-- Each row is parsed once, not once per column.
with rows as materialized (select jsonb(value) as row from json_each($1))
insert into idempotency (hall, key, fingerprint, first_seq, count, at)
select
    row ->> 'hall', row ->> 'key', row ->> 'fingerprint', row ->> 'first_seq',
    row ->> 'count', row ->> 'at'
from rows
