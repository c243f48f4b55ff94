//! Ticket numbers such as `B005`: a prefix and a running number that restarts with the hall's day.

use serde::{Deserialize, Serialize};

/// How the numbers of a service look. Services with the same prefix share one series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberTemplate {
    /// Letters before the digits, 0 to 4 of `A`–`Z`.
    pub prefix: String,
    /// Digits at least, padded with zeros (1 to 6).
    pub digits: u8,
    /// First number of the day.
    pub first: u32,
    /// Last number before the series wraps to `first`.
    pub last: u32,
}

impl NumberTemplate {
    /// A series `prefix` + `digits` digits from 1 to the largest number that fits.
    pub fn new(prefix: &str, digits: u8) -> Self {
        Self {
            prefix: prefix.to_owned(),
            digits,
            first: 1,
            last: 10_u32.pow(u32::from(digits.min(6))) - 1,
        }
    }

    /// The number as printed and spoken, e.g. `B005`.
    pub fn format(&self, n: u32) -> String {
        format!(
            "{}{n:0width$}",
            self.prefix,
            width = usize::from(self.digits)
        )
    }

    /// What is wrong with the template: field and reason.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        if self.prefix.len() > 4 || !self.prefix.bytes().all(|b| b.is_ascii_uppercase()) {
            return Some(("prefix", "0 to 4 capital letters"));
        }
        if !(1..=6).contains(&self.digits) {
            return Some(("digits", "1 to 6"));
        }
        if self.first == 0 || self.first > self.last {
            return Some(("first", "at least 1 and at most last"));
        }
        if self.last >= 10_u32.pow(u32::from(self.digits)) {
            return Some(("last", "must fit the digits"));
        }
        None
    }
}

/// Where a series stands today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counter {
    /// Last number given, 0 before the first.
    pub last_given: u32,
    /// How often the series has wrapped today.
    pub round: u32,
}

impl Counter {
    /// The next number of the series that is not held by an open ticket, and the counter after it.
    /// `None` when every number of the series is held.
    pub fn next(
        self,
        template: &NumberTemplate,
        is_held: impl Fn(&str) -> bool,
    ) -> Option<(Self, String)> {
        let mut at = self;
        for _ in template.first..=template.last {
            at = if at.last_given < template.first {
                Self {
                    last_given: template.first,
                    ..at
                }
            } else if at.last_given >= template.last {
                Self {
                    last_given: template.first,
                    round: at.round + 1,
                }
            } else {
                Self {
                    last_given: at.last_given + 1,
                    ..at
                }
            };
            let number = template.format(at.last_given);
            if !is_held(&number) {
                return Some((at, number));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> NumberTemplate {
        NumberTemplate {
            prefix: "B".into(),
            digits: 3,
            first: 1,
            last: 3,
        }
    }

    #[test]
    fn a_series_wraps_only_onto_a_number_that_no_open_ticket_holds() {
        let at = Counter {
            last_given: 3,
            round: 0,
        };
        let (next, number) = at
            .next(&template(), |number| number == "B001")
            .expect("a free number");
        assert_eq!(number, "B002");
        assert_eq!(
            next,
            Counter {
                last_given: 2,
                round: 1
            }
        );
    }

    #[test]
    fn a_series_whose_numbers_are_all_held_is_exhausted() {
        assert_eq!(Counter::default().next(&template(), |_| true), None);
    }

    #[test]
    fn a_raised_first_number_is_taken_up_by_a_running_counter() {
        let raised = NumberTemplate {
            first: 100,
            last: 199,
            ..template()
        };
        let (_, number) = Counter {
            last_given: 7,
            round: 0,
        }
        .next(&raised, |_| false)
        .expect("a number");
        assert_eq!(number, "B100");
    }
}
