insert into snapshots (hall, seq, body) values ($1, $2, $3)
on conflict (hall) do update set seq = excluded.seq, body = excluded.body
where excluded.seq > snapshots.seq
