//! How many calls took how long. Each bar is a quarter of a doubling, so that fast and slow ones are seen
//! together.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use rules::channels::course::Bar;

use super::canvas::{self, Paper, on_paper};
use super::theme::Colors;
use super::{ChartError, Course, Kind, Words, readable};

/// Bars that are drawn at least, so that a single one is no wall.
const BARS_MIN: f64 = 12.0;

/// Labels under the bars at most.
const LABELS_MAX: usize = 7;

pub(super) fn draw(course: &Course, words: Words, colors: Colors) -> Result<String, ChartError> {
    on_paper(|paper| {
        canvas::title(
            paper,
            &words.title(Kind::Distribution, course.window),
            colors,
        )?;
        match course.bars.is_empty() {
            true => canvas::nothing(paper, words.nothing(), colors),
            false => plot(paper, course, words, colors),
        }
    })
}

/// A duration as one says it.
fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", readable(micros as f64 / 1e3)),
        _ => format!("{} s", readable(micros as f64 / 1e6)),
    }
}

fn plot(
    paper: &Paper<'_>,
    course: &Course,
    words: Words,
    colors: Colors,
) -> Result<(), ChartError> {
    let bars = &course.bars;
    let most = bars.iter().map(|bar| bar.calls).max().unwrap_or(1);
    let count = bars.len() as f64;
    let pad = ((BARS_MIN - count) / 2.0).max(0.5);
    let (left, right) = (-pad, count + pad);
    let top = most as f64 * 1.2;
    let mut chart = canvas::builder(paper).build_cartesian_2d(left..right, 0.0..top)?;
    canvas::mesh(&mut chart, colors)?;
    let filled = bars.iter().enumerate().filter(|(_, bar)| bar.calls > 0);
    chart.draw_series(filled.map(|(place, bar)| {
        let place = place as f64;
        let corners = [(place + 0.06, 0.0), (place + 0.94, bar.calls as f64)];
        Rectangle::new(corners, colors.soft.filled())
    }))?;
    let style = canvas::text_style(colors.faint).pos(Pos::new(HPos::Center, VPos::Top));
    let step = (bars.len() + 1).div_ceil(LABELS_MAX).max(1);
    let bounds = bars
        .iter()
        .map(|bar| bar.from_micros)
        .chain(bars.last().map(|bar| bar.to_micros));
    for (place, bound) in bounds.enumerate().step_by(step) {
        let (x, y) = chart.backend_coord(&(place as f64, 0.0));
        paper.draw(&PathElement::new([(x, y), (x, y + 4)], colors.line))?;
        paper.draw(&Text::new(duration(bound), (x, y + 7), style.clone()))?;
    }
    let marks = [
        (
            words.of("中位", "median"),
            course.whole.p50_ms,
            colors.faint,
            HPos::Right,
        ),
        ("95%", course.whole.p95_ms, colors.main, HPos::Left),
    ];
    for (name, ms, color, side) in marks {
        let Some(place) = ms.and_then(|ms| place_of(bars, ms)) else {
            continue;
        };
        chart.draw_series(LineSeries::new(
            [(place, 0.0), (place, top * 0.98)],
            color.stroke_width(2),
        ))?;
        let (x, y) = chart.backend_coord(&(place, top));
        let (gap, style) = (
            if matches!(side, HPos::Left) { 5 } else { -5 },
            canvas::text_style(color),
        );
        paper.draw(&Text::new(
            name.to_owned(),
            (x + gap, y + 2),
            style.pos(Pos::new(side, VPos::Top)),
        ))?;
    }
    Ok(())
}

/// Where a time stands among the bars.
fn place_of(bars: &[Bar], ms: f64) -> Option<f64> {
    let micros = ms * 1000.0;
    let place = bars.iter().position(|bar| micros < bar.to_micros as f64);
    let place = place.unwrap_or(bars.len().checked_sub(1)?);
    let bar = bars.get(place)?;
    let width = (bar.to_micros - bar.from_micros).max(1) as f64;
    let share = (micros - bar.from_micros as f64) / width;
    Some(place as f64 + share.clamp(0.0, 1.0))
}
