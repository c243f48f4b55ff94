insert into strips (hall, id, window_id, protocol, address, size, two_colours, zone, english)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (hall, id) do update set
    window_id = excluded.window_id, protocol = excluded.protocol, address = excluded.address,
    size = excluded.size, two_colours = excluded.two_colours, zone = excluded.zone,
    english = excluded.english
