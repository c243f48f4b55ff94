select seq, at, by, body from events where stream = $1 and seq > $2 order by seq limit $3
