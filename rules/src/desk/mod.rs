//! The alert desk: what stands wrong, who knows of it, who works on it, and who was told.

pub mod history;
pub mod messages;
pub mod orders;
pub mod problems;
pub mod receivers;
