insert into events (stream, seq, at, kind, by, body)
select stream, seq, at, kind, by, body
from json_to_recordset($1::json) as row (
    stream text, seq bigint, at bigint, kind text, by text, body text
)
