//! A checked condition: a typed expression over slots. Evaluating it neither fails nor allocates.

use std::sync::Arc;

use super::{Comparison, Verdict};
use crate::alerts::subject::{Value, Variable};

/// What a condition is evaluated on.
pub(super) struct Seen<'a> {
    pub(super) values: &'a [Value],
    pub(super) parameters: &'a [f64],
}

impl Seen<'_> {
    fn value(&self, slot: u16) -> &Value {
        self.values
            .get(usize::from(slot))
            .unwrap_or(&Value::Missing)
    }
}

/// Names of what slots hold, to write an expression down.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) variables: &'static [Variable],
    pub(super) parameters: &'a [String],
}

impl<'a> Names<'a> {
    fn variable(self, slot: u16) -> &'static str {
        self.variables
            .get(usize::from(slot))
            .map_or("?", |v| v.name)
    }

    fn parameter(self, slot: u16) -> &'a str {
        self.parameters
            .get(usize::from(slot))
            .map_or("?", String::as_str)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

impl Op {
    const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Equal => "==",
            Self::Unequal => "!=",
        }
    }

    fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
            Self::Equal => left == right,
            Self::Unequal => left != right,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Sum {
    const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }

    const fn binds(self) -> u8 {
        match self {
            Self::Add | Self::Subtract => 1,
            Self::Multiply | Self::Divide => 2,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Text {
    Literal(Arc<str>),
    Slot(u16),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number {
    Literal(f64),
    /// So many minutes, hours … as the condition wrote it, in the unit of the other side.
    Duration(f64, Arc<str>),
    Slot(u16),
    Parameter(u16),
    Negative(Box<Self>),
    Sum(Sum, Box<(Self, Self)>),
    Choice(Box<(Test, Self, Self)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Literal(bool),
    Slot(u16),
    Known(u16),
    Not(Box<Self>),
    And(Box<(Self, Self)>),
    Or(Box<(Self, Self)>),
    Numbers(Op, Box<(Number, Number)>),
    Texts(Op, Text, Text),
    Flags(Op, Box<(Self, Self)>),
    NumberIn(Box<Number>, Box<[f64]>),
    TextIn(Text, Box<[Arc<str>]>),
    Choice(Box<(Self, Self, Self)>),
}

pub(super) const fn verdict(known: Option<bool>) -> Verdict {
    match known {
        Some(true) => Verdict::True,
        Some(false) => Verdict::False,
        None => Verdict::Missing,
    }
}

impl Test {
    /// `None` is missing.
    pub(super) fn eval(&self, seen: &Seen<'_>) -> Option<bool> {
        match self {
            Self::Literal(known) => Some(*known),
            Self::Slot(slot) => match seen.value(*slot) {
                Value::Bool(known) => Some(*known),
                _ => None,
            },
            Self::Known(slot) => Some(*seen.value(*slot) != Value::Missing),
            Self::Not(test) => test.eval(seen).map(|known| !known),
            Self::And(both) => match both.0.eval(seen) {
                Some(false) => Some(false),
                Some(true) => both.1.eval(seen),
                None => both.1.eval(seen).filter(|known| !known),
            },
            Self::Or(both) => match both.0.eval(seen) {
                Some(true) => Some(true),
                Some(false) => both.1.eval(seen),
                None => both.1.eval(seen).filter(|known| *known),
            },
            Self::Numbers(op, both) => Some(op.holds(&both.0.eval(seen)?, &both.1.eval(seen)?)),
            Self::Texts(op, left, right) => Some(op.holds(&left.eval(seen)?, &right.eval(seen)?)),
            Self::Flags(op, both) => Some(op.holds(&both.0.eval(seen)?, &both.1.eval(seen)?)),
            Self::NumberIn(number, list) => {
                let number = number.eval(seen)?;
                Some(list.contains(&number))
            }
            Self::TextIn(text, list) => {
                let text = text.eval(seen)?;
                Some(list.iter().any(|one| **one == *text))
            }
            Self::Choice(three) => match three.0.eval(seen)? {
                true => three.1.eval(seen),
                false => three.2.eval(seen),
            },
        }
    }

    /// Adds every comparison in this test, in the order of the text.
    pub(super) fn explain(&self, seen: &Seen<'_>, names: Names<'_>, found: &mut Vec<Comparison>) {
        let (left, op, right) = match self {
            Self::Literal(_) => return,
            Self::Not(test) => return test.explain(seen, names, found),
            Self::And(both) | Self::Or(both) => {
                both.0.explain(seen, names, found);
                return both.1.explain(seen, names, found);
            }
            Self::Choice(three) => {
                three.0.explain(seen, names, found);
                three.1.explain(seen, names, found);
                return three.2.explain(seen, names, found);
            }
            Self::Slot(slot) => (seen.value(*slot).clone(), "==", Value::Bool(true)),
            Self::Known(slot) => (seen.value(*slot).clone(), "has", Value::Bool(true)),
            Self::Numbers(op, both) => (both.0.value(seen), op.sign(), both.1.value(seen)),
            Self::Texts(op, left, right) => (left.value(seen), op.sign(), right.value(seen)),
            Self::Flags(op, both) => {
                let flag = |test: &Self| test.eval(seen).map_or(Value::Missing, Value::Bool);
                (flag(&both.0), op.sign(), flag(&both.1))
            }
            Self::NumberIn(number, list) => {
                let list: Vec<String> = list.iter().map(f64::to_string).collect();
                (
                    number.value(seen),
                    "in",
                    Value::Text(list.join(", ").into()),
                )
            }
            Self::TextIn(text, list) => {
                let list: Vec<&str> = list.iter().map(AsRef::as_ref).collect();
                (text.value(seen), "in", Value::Text(list.join(", ").into()))
            }
        };
        let mut text = String::new();
        self.write(names, &mut text);
        found.push(Comparison {
            text,
            left,
            op: op.to_owned(),
            right,
            holds: verdict(self.eval(seen)),
        });
    }

    /// Writes a comparison down; what joins comparisons stands in brackets.
    fn write(&self, names: Names<'_>, out: &mut String) {
        match self {
            Self::Literal(known) => out.push_str(if *known { "true" } else { "false" }),
            Self::Slot(slot) => out.push_str(names.variable(*slot)),
            Self::Known(slot) => *out += &format!("has({})", names.variable(*slot)),
            Self::Not(test) => {
                out.push('!');
                test.write(names, out);
            }
            Self::And(both) => join(&both.0, " && ", &both.1, names, out),
            Self::Or(both) => join(&both.0, " || ", &both.1, names, out),
            Self::Flags(op, both) => {
                join(&both.0, &format!(" {} ", op.sign()), &both.1, names, out)
            }
            Self::Numbers(op, both) => {
                both.0.write(names, 0, out);
                *out += &format!(" {} ", op.sign());
                both.1.write(names, 0, out);
            }
            Self::Texts(op, left, right) => {
                left.write(names, out);
                *out += &format!(" {} ", op.sign());
                right.write(names, out);
            }
            Self::NumberIn(number, list) => {
                number.write(names, 0, out);
                let list: Vec<String> = list.iter().map(f64::to_string).collect();
                *out += &format!(" in [{}]", list.join(", "));
            }
            Self::TextIn(text, list) => {
                text.write(names, out);
                let list: Vec<String> = list.iter().map(|one| format!("\"{one}\"")).collect();
                *out += &format!(" in [{}]", list.join(", "));
            }
            Self::Choice(three) => {
                out.push('(');
                three.0.write(names, out);
                out.push_str(" ? ");
                join(&three.1, " : ", &three.2, names, out);
                out.push(')');
            }
        }
    }
}

fn join(left: &Test, between: &str, right: &Test, names: Names<'_>, out: &mut String) {
    out.push('(');
    left.write(names, out);
    out.push_str(between);
    right.write(names, out);
    out.push(')');
}

impl Number {
    /// `None` is missing: a missing value in it, a division by zero, a result beyond all numbers.
    fn eval(&self, seen: &Seen<'_>) -> Option<f64> {
        match self {
            Self::Literal(number) | Self::Duration(number, _) => Some(*number),
            Self::Slot(slot) => match seen.value(*slot) {
                Value::Number(number) if number.is_finite() => Some(*number),
                _ => None,
            },
            Self::Parameter(slot) => seen.parameters.get(usize::from(*slot)).copied(),
            Self::Negative(number) => number.eval(seen).map(|number| -number),
            Self::Sum(sum, both) => {
                let (left, right) = (both.0.eval(seen)?, both.1.eval(seen)?);
                let result = match sum {
                    Sum::Add => left + right,
                    Sum::Subtract => left - right,
                    Sum::Multiply => left * right,
                    Sum::Divide => left / right,
                };
                Some(result).filter(|result| result.is_finite())
            }
            Self::Choice(three) => match three.0.eval(seen)? {
                true => three.1.eval(seen),
                false => three.2.eval(seen),
            },
        }
    }

    fn value(&self, seen: &Seen<'_>) -> Value {
        self.eval(seen).map_or(Value::Missing, Value::Number)
    }

    fn write(&self, names: Names<'_>, within: u8, out: &mut String) {
        match self {
            Self::Literal(number) => *out += &number.to_string(),
            Self::Duration(_, written) => *out += &format!("duration(\"{written}\")"),
            Self::Slot(slot) => out.push_str(names.variable(*slot)),
            Self::Parameter(slot) => *out += &format!("param.{}", names.parameter(*slot)),
            Self::Negative(number) => {
                out.push('-');
                number.write(names, 3, out);
            }
            Self::Sum(sum, both) => {
                let bracket = sum.binds() < within;
                if bracket {
                    out.push('(');
                }
                both.0.write(names, sum.binds(), out);
                *out += &format!(" {} ", sum.sign());
                // `a - (b - c)` keeps its brackets.
                both.1.write(names, sum.binds() + 1, out);
                if bracket {
                    out.push(')');
                }
            }
            Self::Choice(three) => {
                out.push('(');
                three.0.write(names, out);
                out.push_str(" ? ");
                three.1.write(names, 0, out);
                out.push_str(" : ");
                three.2.write(names, 0, out);
                out.push(')');
            }
        }
    }
}

impl Text {
    fn eval<'a>(&'a self, seen: &'a Seen<'_>) -> Option<&'a str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Slot(slot) => match seen.value(*slot) {
                Value::Text(text) => Some(text),
                _ => None,
            },
        }
    }

    fn value(&self, seen: &Seen<'_>) -> Value {
        self.eval(seen)
            .map_or(Value::Missing, |text| Value::Text(text.into()))
    }

    fn write(&self, names: Names<'_>, out: &mut String) {
        match self {
            Self::Literal(text) => *out += &format!("\"{text}\""),
            Self::Slot(slot) => out.push_str(names.variable(*slot)),
        }
    }
}
