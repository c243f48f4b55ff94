//! Work orders: from an alert or by hand, through to verified and closed.
