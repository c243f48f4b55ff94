-- Tickets of the batch that go to another window leave theirs first; the upsert that follows in
-- the same transaction says where they go. In most batches no row is concerned.
update tickets set state = 'waiting'
from json_each($1) as row
where tickets.hall = row.value ->> 'hall'
    and tickets.id = row.value ->> 'id'
    and tickets.state in ('called', 'serving')
    and tickets."window" <> row.value ->> 'window'
