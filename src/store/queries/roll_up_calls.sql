insert into call_hours (
    channel, at, caller, version, result, status, calls, timed, shortest, longest, total,
    t0, t1, t2, t3, t4, t5, t6, t7
)
select
    channel, at / 3600000 * 3600000, caller, coalesce(version, ''), result, coalesce(status, 0),
    count(*), count(micros), min(micros), max(micros), cast(coalesce(sum(micros), 0) as bigint),
    count(case when micros <= 10000 then 1 end),
    count(case when micros > 10000 and micros <= 30000 then 1 end),
    count(case when micros > 30000 and micros <= 100000 then 1 end),
    count(case when micros > 100000 and micros <= 300000 then 1 end),
    count(case when micros > 300000 and micros <= 1000000 then 1 end),
    count(case when micros > 1000000 and micros <= 3000000 then 1 end),
    count(case when micros > 3000000 and micros <= 10000000 then 1 end),
    count(case when micros > 10000000 then 1 end)
from calls
where place <= $1
group by 1, 2, 3, 4, 5, 6
on conflict (channel, at, caller, version, result, status) do update set
    calls = call_hours.calls + excluded.calls,
    timed = call_hours.timed + excluded.timed,
    shortest = case
        when call_hours.shortest is null or excluded.shortest < call_hours.shortest
        then excluded.shortest else call_hours.shortest
    end,
    longest = case
        when call_hours.longest is null or excluded.longest > call_hours.longest
        then excluded.longest else call_hours.longest
    end,
    total = call_hours.total + excluded.total,
    t0 = call_hours.t0 + excluded.t0, t1 = call_hours.t1 + excluded.t1,
    t2 = call_hours.t2 + excluded.t2, t3 = call_hours.t3 + excluded.t3,
    t4 = call_hours.t4 + excluded.t4, t5 = call_hours.t5 + excluded.t5,
    t6 = call_hours.t6 + excluded.t6, t7 = call_hours.t7 + excluded.t7
