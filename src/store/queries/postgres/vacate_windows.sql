-- Tickets of the batch that go to another window leave theirs first; the upsert that follows in
-- the same transaction says where they go. In most batches no row is concerned.
update tickets set state = 'waiting'
from json_to_recordset($1::json) as row (hall text, id bigint, "window" text)
where tickets.hall = row.hall
    and tickets.id = row.id
    and tickets.state in ('called', 'serving')
    and tickets."window" <> row."window"
