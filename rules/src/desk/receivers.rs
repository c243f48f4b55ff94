//! Who hears of alerts: people and machines, by role and scope.
