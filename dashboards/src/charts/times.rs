//! Percentiles of the response times over time. Where nothing was called there is a gap.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use rules::channels::course::Stretch;

use super::canvas::{self, Paper, on_paper};
use super::theme::Colors;
use super::{ChartError, Course, Kind, Words, readable};

/// The limit is drawn when times come within this share of it: far above them it would press them flat.
const NEAR_LIMIT: f64 = 0.25;

pub(super) fn draw(course: &Course, words: Words, colors: Colors) -> Result<String, ChartError> {
    on_paper(|paper| {
        canvas::title(paper, &words.title(Kind::Times, course.window), colors)?;
        match course
            .stretches
            .iter()
            .any(|one| one.times.p50_ms.is_some())
        {
            false => canvas::nothing(paper, words.nothing(), colors),
            true => plot(paper, course, words, colors),
        }
    })
}

/// A percentile: its name, which of the figures it is, and its stroke.
struct Line {
    name: &'static str,
    of: fn(&Stretch) -> Option<f64>,
    color: RGBColor,
    px: u32,
    dashed: bool,
}

fn lines(colors: Colors) -> [Line; 3] {
    [
        Line {
            name: "99%",
            of: |one| one.times.p99_ms,
            color: colors.warn,
            px: 1,
            dashed: true,
        },
        Line {
            name: "95%",
            of: |one| one.times.p95_ms,
            color: colors.main,
            px: 3,
            dashed: false,
        },
        Line {
            name: "50%",
            of: |one| one.times.p50_ms,
            color: colors.faint,
            px: 1,
            dashed: false,
        },
    ]
}

fn plot(
    paper: &Paper<'_>,
    course: &Course,
    words: Words,
    colors: Colors,
) -> Result<(), ChartError> {
    let most = course
        .stretches
        .iter()
        .filter_map(|one| one.times.p99_ms)
        .fold(0.0, f64::max);
    let limit = (most > course.slow_ms * NEAR_LIMIT).then_some(course.slow_ms);
    let top = most.max(limit.unwrap_or(0.0)).max(0.001) * 1.12;
    let (from, until) = canvas::span(course);
    let mut chart = canvas::builder(paper).build_cartesian_2d(from..until, 0.0..top)?;
    canvas::mesh(&mut chart, colors)?;
    canvas::hours(&chart, paper, course, colors)?;
    if let Some(limit) = limit {
        let stroke = colors.bad.stroke_width(1);
        chart.draw_series(DashedLineSeries::new(
            [(from, limit), (until, limit)],
            6,
            4,
            stroke,
        ))?;
        let place = chart.backend_coord(&(from, limit));
        let words = format!("{} {}", words.of("限值", "limit"), readable(limit));
        let style = canvas::text_style(colors.bad).pos(Pos::new(HPos::Left, VPos::Bottom));
        paper.draw(&Text::new(words, (place.0 + 4, place.1 - 2), style))?;
    }
    let mut names: Vec<(i32, &str, RGBColor)> = Vec::new();
    for line in lines(colors) {
        let mut last = None;
        for run in runs(course, line.of, from, until) {
            last = run.last().copied();
            let stroke = line.color.stroke_width(line.px);
            if let [only] = run[..] {
                chart.draw_series([Circle::new(only, line.px as i32, line.color.filled())])?;
            } else if line.dashed {
                chart.draw_series(DashedLineSeries::new(run, 5, 4, stroke))?;
            } else {
                chart.draw_series(LineSeries::new(run, stroke))?;
            }
        }
        if let Some(last) = last {
            names.push((chart.backend_coord(&last).1, line.name, line.color));
        }
    }
    name_ends(paper, names)
}

/// Points of neighbouring slots, each in the middle of its slot; a slot without calls ends a run.
fn runs(
    course: &Course,
    of: fn(&Stretch) -> Option<f64>,
    from: f64,
    until: f64,
) -> Vec<Vec<(f64, f64)>> {
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut before = None;
    for one in &course.stretches {
        let Some(value) = of(one) else {
            before = None;
            continue;
        };
        let middle = (one.from.millis() + one.until.millis()) as f64 / 2.0;
        let point = (middle.clamp(from, until), value);
        match (before == Some(one.from), runs.last_mut()) {
            (true, Some(run)) => run.push(point),
            _ => runs.push(vec![point]),
        }
        before = Some(one.until);
    }
    runs
}

/// The names of the lines at their ends, one below the other where they would stand too close.
fn name_ends(paper: &Paper<'_>, mut names: Vec<(i32, &str, RGBColor)>) -> Result<(), ChartError> {
    names.sort_by_key(|one| one.0);
    let x = super::theme::SIZE.0 as i32 - 40;
    let mut free = i32::MIN;
    for (y, name, color) in names {
        let y = y.max(free);
        free = y + super::theme::TEXT_PX + 1;
        let style = canvas::text_style(color).pos(Pos::new(HPos::Left, VPos::Center));
        paper.draw(&Text::new(name.to_owned(), (x, y), style))?;
    }
    Ok(())
}
