insert into http_keys (scope, key, fingerprint, at) values ($1, $2, $3, $4)
on conflict (scope, key) do update set fingerprint = excluded.fingerprint, at = excluded.at
where http_keys.status is null and http_keys.at < $5
