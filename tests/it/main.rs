//! The system from outside: the real binary over HTTP, WebSocket and in a real browser.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
#![allow(
    unreachable_pub,
    reason = "the modules of a test binary are its whole world"
)]

mod access;
mod bad_input;
mod board;
mod browser;
mod calls;
mod cases;
mod desk_page;
mod desks;
mod device_pages;
mod feeds_page;
mod follow;
mod gateway;
mod harness;
mod journal_contract;
mod live_feed;
mod loader;
mod metrics;
mod notices;
mod ops;
mod ops_page;
mod outage;
mod postgres;
mod print_bridge;
mod recovery;
mod rule_files;
mod scenarios;
mod services_page;
mod setup_page;
mod strips;
mod visitor_pages;
mod voice;
mod webdriver;
