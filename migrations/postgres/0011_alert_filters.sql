-- Of alerts: what the rule guards, and the id of what it is about, so that lists can ask for them.
alter table items add column topic text collate "C";
alter table items add column subject text collate "C";
