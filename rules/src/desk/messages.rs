//! Notices: queued, sent, delivered, failed, sent again.
