-- How often each function of a device was used on each day.
create table device_usage (
    device text collate "C" not null,
    -- As 2026-03-09, in the zone of the installation.
    day text collate "C" not null,
    function text collate "C" not null,
    used bigint not null,
    primary key (device, day, function)
);

-- What cameras counted last in each area of a hall, so that a restart does not forget it.
create table occupancy (
    hall text collate "C" not null,
    source text collate "C" not null,
    people bigint not null,
    -- When it was counted, in milliseconds since 1970.
    at bigint not null,
    -- The device or account that told it.
    told_by text collate "C" not null,
    primary key (hall, source)
);
