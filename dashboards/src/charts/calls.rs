//! Calls and failures over time.

use plotters::prelude::*;
use rules::channels::Window;

use super::canvas::{self, Legend, Paper, on_paper};
use super::theme::Colors;
use super::{ChartError, Course, Kind, Words};

pub(super) fn draw(course: &Course, words: Words, colors: Colors) -> Result<String, ChartError> {
    on_paper(|paper| {
        canvas::title(paper, &words.title(Kind::Calls, course.window), colors)?;
        match course.stretches.is_empty() {
            true => canvas::nothing(paper, words.nothing(), colors),
            false => plot(paper, course, words, colors),
        }
    })
}

/// Milliseconds of a slot.
const fn width(window: Window) -> f64 {
    match window {
        Window::Minute | Window::FiveMinutes => 10_000.0,
        Window::Hour => 300_000.0,
        Window::Day => 3_600_000.0,
    }
}

fn plot(
    paper: &Paper<'_>,
    course: &Course,
    words: Words,
    colors: Colors,
) -> Result<(), ChartError> {
    let asked = |calls: u64, refused: u64| (calls + refused) as f64;
    let most = course
        .stretches
        .iter()
        .map(|one| asked(one.times.calls, one.times.refused));
    let top = most.fold(1.0, f64::max) * 1.12;
    let (from, until) = canvas::span(course);
    let mut chart = canvas::builder(paper).build_cartesian_2d(from..until, 0.0..top)?;
    canvas::mesh(&mut chart, colors)?;
    canvas::hours(&chart, paper, course, colors)?;
    let slot = width(course.window);
    let bar = |at: f64, height: f64, share: f64, color: RGBColor| {
        let (left, right) = (
            at + slot * (1.0 - share) / 2.0,
            at + slot * (1.0 + share) / 2.0,
        );
        Rectangle::new(
            [(left.max(from), 0.0), (right.min(until), height)],
            color.filled(),
        )
    };
    for one in &course.stretches {
        let at = one.from.millis() as f64;
        let times = &one.times;
        let all = asked(times.calls, times.refused);
        if times.refused > 0 {
            chart.draw_series([bar(at, all, 0.84, colors.warn)])?;
        }
        if times.calls > 0 {
            chart.draw_series([bar(at, times.calls as f64, 0.84, colors.soft)])?;
        }
        if times.failed > 0 {
            chart.draw_series([bar(at, times.failed as f64, 0.42, colors.bad)])?;
        }
    }
    legend(paper, course, words, colors)
}

fn legend(
    paper: &Paper<'_>,
    course: &Course,
    words: Words,
    colors: Colors,
) -> Result<(), ChartError> {
    let mut legend = Legend::new(paper, colors);
    let mut add = |name: &str, count: u64, wide: i32, color: RGBColor| {
        legend.add(&format!("{name} {count}"), |paper, x, y| {
            let left = x + (14 - wide) / 2;
            let sign = Rectangle::new([(left, y + 2), (left + wide, y + 12)], color.filled());
            Ok(paper.draw(&sign)?)
        })
    };
    let all = &course.whole;
    if all.refused > 0 {
        add(words.of("拒绝", "refused"), all.refused, 14, colors.warn)?;
    }
    add(words.of("失败", "failed"), all.failed, 7, colors.bad)?;
    add(words.of("调用", "calls"), all.calls, 14, colors.soft)
}
