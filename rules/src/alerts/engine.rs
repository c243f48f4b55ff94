//! Rules by subjects: one pass over what is known, and what changed by it.
