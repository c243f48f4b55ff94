//! API channels: statistics, health, versions and grants, calls, batches.

mod access;
mod calls;
mod health;
mod histograms;
mod statistics;
mod support;
