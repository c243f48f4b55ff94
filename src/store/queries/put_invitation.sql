insert into invitations (
    hall, ticket, number, window_id, device, state, reason, link, asked_at, answered_at, attempts, next_at
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (hall, ticket) do update set
    state = excluded.state, reason = excluded.reason, answered_at = excluded.answered_at,
    attempts = excluded.attempts, next_at = excluded.next_at
