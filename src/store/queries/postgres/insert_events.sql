insert into events (hall, seq, at, kind, by, body)
select hall, seq, at, kind, by, body
from json_to_recordset($1::json) as row (
    hall text, seq bigint, at bigint, kind text, by text, body text
)
