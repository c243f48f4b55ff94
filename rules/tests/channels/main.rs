//! API channels: statistics, health, versions and grants, calls, batches.

mod access;
mod access_logs;
mod calls;
mod facts;
mod health;
mod histograms;
mod statistics;
mod support;
