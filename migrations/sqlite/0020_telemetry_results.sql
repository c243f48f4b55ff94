-- What became of a case, and the region's name, to be shown with the counts.
alter table telemetry_events add column result text;
alter table telemetry_events add column region_name text;

update telemetry_events set
    result = json_extract(body, '$.result'),
    region_name = json_extract(body, '$.region_name');
