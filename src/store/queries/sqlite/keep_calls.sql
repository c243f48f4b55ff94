-- Followed by the values of as many calls as are kept at a time.
insert into calls (
    channel, id, at, caller, version, result, status, reason, micros, trace_id, path_family, body,
    told_at
)
