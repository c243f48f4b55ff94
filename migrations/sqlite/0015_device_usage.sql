-- How often each function of a device was used on each day.
create table device_usage (
    device text not null,
    -- As 2026-03-09, in the zone of the installation.
    day text not null,
    function text not null,
    used integer not null,
    primary key (device, day, function)
) strict, without rowid;

-- What cameras counted last in each area of a hall, so that a restart does not forget it.
create table occupancy (
    hall text not null,
    source text not null,
    people integer not null,
    -- When it was counted, in milliseconds since 1970.
    at integer not null,
    -- The device or account that told it.
    told_by text not null,
    primary key (hall, source)
) strict, without rowid;
