//! Identifiers as newtypes, so that a window can never be passed where a service is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest identifier accepted, in characters: fits a URL segment and a log line.
pub const ID_MAX_CHARS: usize = 64;

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidId {
    /// What the identifier was for, e.g. `hall`.
    pub kind: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a {} id is 1 to {ID_MAX_CHARS} letters, digits, '-' or '_'",
            self.kind
        )
    }
}

impl std::error::Error for InvalidId {}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= ID_MAX_CHARS
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if is_id(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId { kind: $kind })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", $kind, self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id!(
    /// A service hall, unique in the city.
    HallId, "hall");
text_id!(
    /// A window, unique in its hall.
    WindowId, "window");
text_id!(
    /// A service (and so a queue), unique in its hall.
    ServiceId, "service");
text_id!(
    /// A part of a hall that people wait in, with its own screens and voice.
    ZoneId, "zone");
text_id!(
    /// An entry of the hall's service menu.
    MenuId, "menu");
text_id!(
    /// The clerk signed in at a window: the name of an account.
    ClerkId, "clerk");
text_id!(
    /// A service-object tag such as `elderly`.
    Tag, "tag");

text_id!(
    /// An API channel, unique in the city.
    ChannelId, "channel");

text_id!(
    /// Data that is received or pushed by agreement, unique in the city.
    FeedId, "feed");

text_id!(
    /// Somebody or something that hears of alerts.
    ReceiverId, "receiver");

macro_rules! numbered_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl FromStr for $name {
            type Err = InvalidNumber;
            fn from_str(text: &str) -> Result<Self, InvalidNumber> {
                let digits = text.strip_prefix(concat!($prefix, "-"));
                let id = digits.and_then(|digits| digits.parse().ok()).map(Self);
                // One way to write it: `WO-1` and `WO-+00001` are none.
                id.filter(|id| id.to_string() == text).ok_or(InvalidNumber {
                    kind: $kind,
                    prefix: $prefix,
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{:06}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Why a text is no numbered identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidNumber {
    kind: &'static str,
    prefix: &'static str,
}

impl fmt::Display for InvalidNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, prefix } = self;
        write!(f, "a {kind} id looks like {prefix}-000123")
    }
}

impl std::error::Error for InvalidNumber {}

numbered_id!(
    /// A work order: `WO-000001` is the first.
    OrderId, "work order", "WO");
numbered_id!(
    /// An entry of the problem list: `P-000001` is the first.
    ProblemId, "problem", "P");
numbered_id!(
    /// A message to one receiver by one way: `M-000001` is the first.
    MessageId, "message", "M");

/// A ticket, unique in its hall and rising in the order of issue over all days.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct TicketId(pub u64);

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

numbered_id!(
    /// An alert: `A-000001` is the first.
    AlertId, "alert", "A");
numbered_id!(
    /// A silence: `S-000001` is the first.
    SilenceId, "silence", "S");

/// The secret on a slip: 128 random bits as 32 hexadecimal digits. Whoever holds it may see this
/// one ticket's place. It is drawn at the edge, never here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_a_slash_or_blank_is_refused() {
        assert!("H1".parse::<HallId>().is_ok());
        for bad in ["", "a/b", "a b", "大厅", &"x".repeat(65)] {
            assert!(bad.parse::<HallId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_numbered_id_is_written_in_one_way() {
        assert_eq!("WO-000123".parse(), Ok(OrderId(123)));
        assert_eq!(
            OrderId(1_234_567).to_string().parse(),
            Ok(OrderId(1_234_567))
        );
        for bad in [
            "WO-123",
            "wo-000123",
            "P-000123",
            "WO-+00123",
            "WO-0000123",
            "000123",
        ] {
            assert!(bad.parse::<OrderId>().is_err(), "{bad:?}");
        }
    }
}
