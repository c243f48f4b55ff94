//! The rules that come with the product. Their numbers are the project's own defaults; each file
//! holds one rule and the tests that try it.

/// Name and text of every shipped rule file, in the order of their names.
pub const fn shipped() -> &'static [(&'static str, &'static str)] {
    FILES
}

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../shipped/", $name, ".toml")))),+]
    };
}

const FILES: &[(&str, &str)] = files![
    "F01-wait-over-target",
    "F02-crowd-over-capacity",
    "F03-idle-while-waiting",
    "F04-missed-share",
    "R01-near-due-case",
    "R02-overdue-case",
    "R03-overdue-acceptance",
    "R04-time-limited-task",
    "R06-business-anomaly",
    "R07-api-failures",
    "R08-api-slow",
    "R09-api-abuse",
    "R09-api-frequency",
    "R09-withdrawn-version",
    "R10-algorithm-unavailable",
    "R11-node-resources",
    "R13-served-not-registered",
    "R13-wrong-data",
    "R14-channel-silent",
    "R14-data-late",
    "R14-data-quality",
    "R17-petition",
    "R18-linked-part-stalled",
    "R19-parallel-department-late",
    "R20-item-anomaly",
    "R21-item-sync",
    "R22-province-feed",
    "R22-province-sync",
    "R23-device-fault",
    "R23-device-offline",
    "R25-licence-update",
    "R26-message-delivery",
    "R27-no-show-share",
];
