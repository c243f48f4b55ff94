//! Figures for machines that watch machines: one model, written as Prometheus reads it or sent as
//! OpenTelemetry has it.
//!
//! Names end in their unit and counters in `_total`, as Prometheus has it. Labels are halls, channels,
//! kinds and states: as many as are set up, and never a person.

mod figures;
pub mod otlp;
pub mod prometheus;
pub mod spans;

pub use figures::collect;

/// What a family's samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rises until the process ends.
    Counter,
    Gauge,
    Histogram,
    /// A count and a sum without quantiles.
    Summary,
}

/// Samples of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub labels: Vec<(&'static str, String)>,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Summary { count: u64, sum: f64 },
    Histogram(Buckets),
}

/// How many lay at or below each bound and above the one before; one more than bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets {
    pub bounds: Vec<f64>,
    pub counts: Vec<u64>,
    pub sum: f64,
}

impl Family {
    pub const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind,
            samples: Vec::new(),
        }
    }

    /// A family of one sample.
    pub fn one(name: &'static str, kind: Kind, help: &'static str, value: f64) -> Self {
        Self::new(name, kind, help).with(&[], value)
    }

    #[must_use]
    pub fn with(mut self, labels: &[(&'static str, &str)], value: f64) -> Self {
        self.push(labels, Value::Number(value));
        self
    }

    pub fn push(&mut self, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels
            .iter()
            .map(|(name, text)| (*name, (*text).to_owned()));
        self.samples.push(Sample {
            labels: labels.collect(),
            value,
        });
    }
}
