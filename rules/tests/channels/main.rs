//! API channels.

mod histograms;
