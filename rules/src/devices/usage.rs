//! How often the functions of a device were used, as the device itself counts.
//!
//! A device tells totals since it started, never steps: a report that is lost or comes twice then
//! changes nothing of the sum.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A total that no device reaches.
pub const TOTAL_MAX: u64 = 1_000_000_000;

/// A device's own totals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Names the run in which it counts; another run begins at nothing.
    pub run: String,
    /// Uses by function since the run began.
    pub used: BTreeMap<String, u64>,
}

impl Totals {
    /// Uses that the totals before did not know. A total that fell within one run says nothing.
    pub fn since(&self, before: Option<&Self>) -> BTreeMap<String, u64> {
        let before = before.filter(|before| before.run == self.run);
        let known = |function: &str| before.and_then(|it| it.used.get(function)).copied();
        self.used
            .iter()
            .map(|(function, total)| {
                let new = total.saturating_sub(known(function).unwrap_or(0));
                (function.clone(), new)
            })
            .filter(|(_, new)| *new > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(run: &str, used: &[(&str, u64)]) -> Totals {
        Totals {
            run: run.to_owned(),
            used: used.iter().map(|(f, n)| ((*f).to_owned(), *n)).collect(),
        }
    }

    #[test]
    fn a_report_that_comes_twice_counts_once() {
        let first = totals("a", &[("print", 3), ("scan", 1)]);
        assert_eq!(first.since(None), first.used);
        assert_eq!(first.since(Some(&first)), BTreeMap::new());
        // One report between was lost.
        let later = totals("a", &[("print", 9), ("scan", 1)]);
        let new = BTreeMap::from([("print".to_owned(), 6)]);
        assert_eq!(later.since(Some(&first)), new);
    }

    #[test]
    fn another_run_begins_at_nothing_and_no_total_falls() {
        let before = totals("a", &[("print", 9)]);
        let restarted = totals("b", &[("print", 2)]);
        assert_eq!(restarted.since(Some(&before)), restarted.used);
        let fallen = totals("a", &[("print", 2)]);
        assert_eq!(fallen.since(Some(&before)), BTreeMap::new());
    }
}
