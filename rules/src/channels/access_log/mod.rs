//! Access logs: lines of web servers and gateways as calls of a channel.
//!
//! * [`Format`]: combined (and common), nginx's JSON, or any `log_format` of nginx; one line becomes an
//!   [`Entry`] that borrows from it, or a [`LineFault`].
//! * [`import`]: a whole log, fed in pieces of any size, with progress, bad lines and figures.
//!
//! Logs are bytes: what is no UTF-8 stays what it is until it is shown. Nothing here knows of regular
//! expressions; a line is read once from its beginning to its end.

mod format;
pub mod import;
mod json;
mod time;

pub use format::{Entry, Format, LineFault, PatternFault};
pub use import::{BadLine, Counts, Import, Line, Report};
