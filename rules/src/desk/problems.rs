//! The problem list: faults in data and business, each with who checks and corrects it.
