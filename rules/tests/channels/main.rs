//! API channels: statistics, health, versions and grants, calls, batches.

mod access;
mod health;
mod histograms;
mod statistics;
mod support;
