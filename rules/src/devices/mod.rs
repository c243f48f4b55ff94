//! Devices of a hall: what each kind can do, how much it is used, whether its software is old, and
//! how many people cameras count.

pub mod occupancy;
pub mod usage;
pub mod version;

/// Every kind of device.
pub const KINDS: &[&str] = &[
    "kiosk", "screen", "strip", "pager", "rater", "reader", "printer", "camera",
];

/// What every device of a kind can do while nothing is wrong with it.
pub fn functions_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "kiosk" => &["display", "issue", "print", "scan"],
        "screen" => &["display", "audio"],
        "strip" => &["display"],
        "pager" => &["call"],
        "rater" => &["rate"],
        "reader" => &["scan"],
        "printer" => &["print"],
        "camera" => &["count"],
        _ => &[],
    }
}
