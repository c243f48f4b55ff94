-- What a device stands for, and what it last said of itself.
alter table devices add column zone_id text;
alter table devices add column window_id text;
alter table devices add column muted bigint not null default 0;
-- When it last gave a sign of life; null: never.
alter table devices add column seen_at bigint;
-- Its last report, a JSON text; null: none.
alter table devices add column report text;
