update accounts set
    name = $2, password_hash = $3, roles = $4, halls = $5, windows = $6, call_chosen = $7,
    must_change_password = $8, hotkeys = $9, disabled = $10
where username = $1
