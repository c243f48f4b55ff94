-- Each row is parsed once, not once per column.
with rows as materialized (select jsonb(value) as row from json_each($1))
insert into events (hall, seq, at, kind, by, body)
select
    row ->> 'hall', row ->> 'seq', row ->> 'at', row ->> 'kind', row ->> 'by',
    row ->> 'body'
from rows
