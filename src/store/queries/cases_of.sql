select * from cases where person = $1 order by updated_at desc, case_no desc limit $2
