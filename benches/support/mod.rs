//! What the benchmark programs share: they start the release binary, talk to it over loopback
//! like any other client, and read from `/proc` what it paid.
//!
//! In reading order: how a program is called and what it prints (`args`, `report`), the server as a
//! process (`server`, `nchan`, `procfs`, `disk`), the wire (`clock`, `scan`, `http`, `screens`), and
//! people at work (`office`, `clerk`, `publisher`).
//!
//! Deliberately absent: any type of the product. Whoever breaks the wire contract breaks these programs.

// Each program uses its part of this module; what one leaves out, another needs.
#![allow(dead_code)]

pub(crate) mod args;
pub(crate) mod clerk;
pub(crate) mod clock;
pub(crate) mod database;
pub(crate) mod disk;
pub(crate) mod http;
pub(crate) mod nchan;
pub(crate) mod office;
pub(crate) mod procfs;
pub(crate) mod publisher;
pub(crate) mod report;
pub(crate) mod samples;
pub(crate) mod scan;
pub(crate) mod screens;
pub(crate) mod server;
