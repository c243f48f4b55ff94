select seq, at, by, body from events where hall = $1 and seq > $2 order by seq limit $3
