insert into events (hall, seq, at, kind, by, body)
select
    value ->> 'hall', value ->> 'seq', value ->> 'at', value ->> 'kind', value ->> 'by',
    value ->> 'body'
from json_each($1)
