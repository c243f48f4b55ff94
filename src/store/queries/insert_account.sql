insert into accounts (
    username, name, password_hash, roles, halls, windows, call_chosen, must_change_password,
    hotkeys, disabled
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
