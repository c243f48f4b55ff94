-- What became of a case, and the region's name, to be shown with the counts.
alter table telemetry_events add column result text collate "C";
alter table telemetry_events add column region_name text collate "C";

update telemetry_events set
    result = body::json ->> 'result',
    region_name = body::json ->> 'region_name';
