select items.body
from case_holders
join items on items.kind = 'case' and items.id = case_holders.case_no
where case_holders.person = $1
order by items.opened_at desc, items.id desc
limit $2
