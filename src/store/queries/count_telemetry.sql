select
    class, code, region, max(name) as name, max(department) as department,
    max(region_name) as region_name, max(at) as last_at,
    sum(case when happened = 'visit' then 1 else 0 end) as visits,
    sum(case when happened = 'case' then 1 else 0 end) as cases
from telemetry_events
where at >= $1 and at < $2
    and ($3 = '' or class = $3) and ($4 = '' or code = $4)
    and ($5 = '' or region = $5) and ($6 = '' or department = $6)
group by class, code, region
order by visits desc, code, region
limit $7
