insert into device_usage (device, day, function, used) values ($1, $2, $3, $4)
on conflict (device, day, function) do update set used = device_usage.used + excluded.used
