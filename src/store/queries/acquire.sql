insert into hall_heads (hall, owner, epoch, seq) values ($1, $2, 1, 0)
on conflict (hall) do update set owner = excluded.owner, epoch = hall_heads.epoch + 1
returning epoch, seq
