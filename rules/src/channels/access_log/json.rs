//! Lines that are JSON objects.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::format::{Entry, LineFault, Reading, Variable};

pub(super) fn read(line: &[u8]) -> Result<Entry<'_>, LineFault> {
    let mut reader = serde_json::Deserializer::from_slice(line);
    let mut fault = LineFault::NotJson;
    let read = Object { fault: &mut fault }.deserialize(&mut reader);
    match read.and_then(|reading| reader.end().map(|()| reading)) {
        Ok(reading) => reading.done(),
        Err(_) => Err(fault),
    }
}

/// An object of variables. The first one that cannot be is left in `fault`.
struct Object<'f> {
    fault: &'f mut LineFault,
}

impl<'a> DeserializeSeed<'a> for Object<'_> {
    type Value = Reading<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Reading<'a>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Object<'_> {
    type Value = Reading<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Reading<'a>, A::Error> {
        let mut reading = Reading::default();
        while let Some(Scalar(key)) = map.next_key::<Scalar<'a>>()? {
            let variable = std::str::from_utf8(&key).map_or(Variable::Other, Variable::named);
            if variable == Variable::Other {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let Scalar(value) = map.next_value()?;
            if let Err(fault) = reading.set(variable, value) {
                *self.fault = fault;
                return Err(A::Error::custom("a value that cannot be"));
            }
        }
        Ok(reading)
    }
}

/// A text, a number or nothing, as bytes.
struct Scalar<'a>(Cow<'a, [u8]>);

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Cow::Borrowed(text.as_bytes())))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Cow::Owned(text.as_bytes().to_vec())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Cow::Owned(number.to_string().into_bytes())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Cow::Owned(number.to_string().into_bytes())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar<'de>, E> {
        // Seconds and instants: six places are more than logs have.
        Ok(Scalar(Cow::Owned(format!("{number:.6}").into_bytes())))
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Cow::Borrowed(b"")))
    }
}
