insert into heads (stream, owner, epoch, seq) values ($1, $2, 1, 0)
on conflict (stream) do update set owner = excluded.owner, epoch = heads.epoch + 1
returning epoch, seq
