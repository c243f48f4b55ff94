//! The text format 0.0.4 of Prometheus.

use std::fmt::Write as _;

use super::{Buckets, Family, Kind, Sample, Value};

/// What the format calls itself.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All families that have samples.
pub fn text(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(out, "# HELP {} {help}", family.name);
        let _ = writeln!(out, "# TYPE {} {}", family.name, kind(family.kind));
        for sample in &family.samples {
            write(&mut out, family.name, sample);
        }
    }
    out
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
    }
}

fn write(out: &mut String, name: &str, sample: &Sample) {
    match &sample.value {
        Value::Number(value) => line(out, name, "", sample, None, *value),
        Value::Summary { count, sum } => {
            line(out, name, "_sum", sample, None, *sum);
            line(out, name, "_count", sample, None, *count as f64);
        }
        Value::Histogram(buckets) => histogram(out, name, sample, buckets),
    }
}

fn histogram(out: &mut String, name: &str, sample: &Sample, buckets: &Buckets) {
    let bounds = buckets.bounds.iter().map(ToString::to_string);
    let mut sum = 0;
    for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&buckets.counts) {
        sum += count;
        line(out, name, "_bucket", sample, Some(&bound), sum as f64);
    }
    line(out, name, "_sum", sample, None, buckets.sum);
    line(out, name, "_count", sample, None, sum as f64);
}

fn line(
    out: &mut String,
    name: &str,
    suffix: &str,
    sample: &Sample,
    bound: Option<&str>,
    value: f64,
) {
    let _ = write!(out, "{name}{suffix}");
    let labels = sample
        .labels
        .iter()
        .map(|(name, text)| (*name, text.as_str()));
    for (n, (name, text)) in labels.chain(bound.map(|bound| ("le", bound))).enumerate() {
        let before = if n == 0 { '{' } else { ',' };
        let _ = write!(out, "{before}{name}=\"{}\"", escaped(text));
    }
    if !sample.labels.is_empty() || bound.is_some() {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_buckets_add_up() {
        let mut family = Family::new("a_seconds", Kind::Histogram, "one\ntwo \\ three");
        let buckets = Buckets {
            bounds: vec![0.01, 1.0],
            counts: vec![2, 3, 1],
            sum: 4.5,
        };
        family.push(&[("hall", "a\"b\\c\nd")], Value::Histogram(buckets));
        let other = Family::one("b_total", Kind::Counter, "b", 3.0);
        let none = Family::new("c", Kind::Gauge, "nothing");
        let hall = r#"hall="a\"b\\c\nd""#;
        let expected = format!(
            "# HELP a_seconds one\\ntwo \\\\ three\n# TYPE a_seconds histogram\n\
             a_seconds_bucket{{{hall},le=\"0.01\"}} 2\na_seconds_bucket{{{hall},le=\"1\"}} 5\n\
             a_seconds_bucket{{{hall},le=\"+Inf\"}} 6\na_seconds_sum{{{hall}}} 4.5\n\
             a_seconds_count{{{hall}}} 6\n# HELP b_total b\n# TYPE b_total counter\nb_total 3\n"
        );
        assert_eq!(text(&[family, other, none]), expected);
    }
}
