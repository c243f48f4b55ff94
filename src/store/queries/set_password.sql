update accounts set password_hash = $2, must_change_password = $3 where username = $1
