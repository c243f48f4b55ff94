//! A back-test's result as text.

use rules::alerts::backtest::{Difference, Load, Report, RuleReport};
use rules::alerts::duration::write_secs;

/// Prints a report for a person.
pub(super) fn report(report: &Report, differences: &[Difference]) {
    println!(
        "{} to {}, {} evaluations",
        report.from, report.until, report.evaluations
    );
    for rule in &report.rules {
        println!();
        one(rule);
        if let Some(difference) = differences.iter().find(|d| d.rule == rule.rule) {
            against(difference);
        }
    }
    println!();
    load(&report.load);
}

fn one(rule: &RuleReport) {
    println!("{}  {} / {}", rule.rule, rule.name.zh, rule.name.en);
    println!(
        "  raised {} (about {} subjects, {} of them more than once), resolved {}, standing {}",
        rule.raised, rule.subjects, rule.subjects_more_than_once, rule.resolved, rule.standing
    );
    if rule.superseded + rule.over_limit as usize + rule.in_favour_of_graver as usize > 0 {
        println!(
            "  superseded by a graver rule {}, not raised in its favour {}, not raised over the limit {}",
            rule.superseded, rule.in_favour_of_graver, rule.over_limit
        );
    }
    if let (Some(median), Some(longest), Some(about)) =
        (rule.median_secs, rule.longest_secs, &rule.longest)
    {
        println!(
            "  stood {} in the middle, {} at the longest ({about}); busiest ten minutes {}",
            write_secs(median),
            write_secs(longest),
            rule.busiest_10min
        );
        println!("  by hour  {}", hours(&rule.by_hour));
    }
    if rule.without_data > 0 {
        let missing: Vec<&str> = rule.missing.iter().map(String::as_str).collect();
        println!(
            "  cannot be evaluated on {} subjects: {} missing",
            rule.without_data,
            missing.join(", ")
        );
    }
}

/// Hours with alerts, such as `08 12  09 30`.
fn hours(by_hour: &[usize; 24]) -> String {
    let hours = by_hour.iter().enumerate().filter(|(_, count)| **count > 0);
    let hours: Vec<String> = hours
        .map(|(hour, count)| format!("{hour:02}h {count}"))
        .collect();
    hours.join("  ")
}

fn against(difference: &Difference) {
    if !difference.in_force {
        println!("  no rule of this name is in force");
        return;
    }
    println!(
        "  against the rule in force: {} instead of {}; {} more, {} fewer, {} alike{}",
        difference.raised,
        difference.raised_in_force,
        difference.only_new,
        difference.only_in_force,
        difference.both,
        delay(difference.mean_delay_secs)
    );
}

fn delay(secs: Option<f64>) -> String {
    let Some(secs) = secs.filter(|secs| secs.abs() >= 1.0) else {
        return String::new();
    };
    let span = write_secs(secs.abs().round() as u64);
    let word = if secs > 0.0 { "later" } else { "earlier" };
    format!(", {span} {word} on average")
}

fn load(load: &Load) {
    println!(
        "{} alerts in {:.1} days: {:.1} per operator and day for {} at the desk",
        load.alerts, load.days, load.per_operator_day, load.operators
    );
    println!(
        "busiest ten minutes {}, busiest hour {}, in flood {:.2} % of the time",
        load.busiest_10min, load.busiest_hour, load.flood_percent
    );
    // ISA-18.2 and EEMUA 191: about 150 a day are acceptable for one operator, 300 the most.
    let verdict = match load.per_operator_day {
        per if per <= 150.0 => "within what one operator can follow (about 150 a day)",
        per if per <= 300.0 => {
            "more than is comfortable (about 150 a day), up to what is manageable (300)"
        }
        _ => "more than one operator can manage (300 a day)",
    };
    println!("{verdict}");
}
