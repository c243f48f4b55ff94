//! API channels: statistics, health, versions and grants, calls, batches.

mod abuse;
mod access;
mod access_logs;
mod calls;
mod facts;
mod feeds;
mod health;
mod histograms;
mod statistics;
mod support;
mod upstream;
