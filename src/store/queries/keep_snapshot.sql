insert into snapshots (stream, seq, body) values ($1, $2, $3)
on conflict (stream) do update set seq = excluded.seq, body = excluded.body
where excluded.seq > snapshots.seq
