//! One rule, one subject: quiet, pending, firing, kept.
