select class, code, region, coalesce(result, '') as result, count(*) as cases
from telemetry_events
where at >= $1 and at < $2 and happened = 'case'
    and ($3 = '' or class = $3) and ($4 = '' or code = $4)
    and ($5 = '' or region = $5) and ($6 = '' or department = $6)
group by class, code, region, coalesce(result, '')
order by cases desc, code, region, result
limit $7
