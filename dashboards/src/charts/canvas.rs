//! What the charts have in common: the paper, the axes, the legend, the words for those who do not see it.

use std::fmt::Write as _;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use rules::time::Timestamp;

use super::theme::{Colors, SIZE, TEXT_PX, TITLE_PX};
use super::{ChartError, Course, readable};

pub(super) type Paper<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Room for the title and the legend above the plot.
const HEAD_PX: i32 = 30;

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for ChartError {
    fn from(cause: DrawingAreaErrorKind<E>) -> Self {
        Self(cause.to_string())
    }
}

/// Draws on paper.
pub(super) fn on_paper(
    draw: impl FnOnce(&Paper<'_>) -> Result<(), ChartError>,
) -> Result<String, ChartError> {
    let mut svg = String::new();
    {
        let paper = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&paper)?;
        paper.present()?;
    }
    Ok(svg)
}

/// A chart's plot with room for its axes; what it shows, and how tall.
pub(super) fn builder<'a, 'b>(paper: &'a Paper<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut chart = ChartBuilder::on(paper);
    chart
        .margin_top(HEAD_PX)
        .margin_right(44)
        .margin_bottom(2)
        .x_label_area_size(22)
        .y_label_area_size(46);
    chart
}

/// The backend takes a size for that of a whole line of 1.24.
fn font(px: i32) -> FontDesc<'static> {
    ("sans-serif", f64::from(px) * 1.24).into_font()
}

pub(super) fn text_style(color: RGBColor) -> TextStyle<'static> {
    font(TEXT_PX).color(&color)
}

pub(super) fn title(paper: &Paper<'_>, words: &str, colors: Colors) -> Result<(), ChartError> {
    let style = font(TITLE_PX).style(FontStyle::Bold).color(&colors.text);
    Ok(paper.draw(&Text::new(words.to_owned(), (4, 4), style))?)
}

/// The words in the middle of a chart that has nothing to show.
pub(super) fn nothing(paper: &Paper<'_>, words: &str, colors: Colors) -> Result<(), ChartError> {
    let (width, height) = SIZE;
    let style = text_style(colors.faint).pos(Pos::new(HPos::Center, VPos::Center));
    let middle = (width as i32 / 2, height as i32 / 2);
    Ok(paper.draw(&Text::new(words.to_owned(), middle, style))?)
}

/// A sign and its name, set from the right edge to the left; `draw` paints the sign into a box of 14 × 10.
pub(super) struct Legend<'a, 'b> {
    paper: &'a Paper<'b>,
    colors: Colors,
    right: i32,
}

impl<'a, 'b> Legend<'a, 'b> {
    pub(super) const fn new(paper: &'a Paper<'b>, colors: Colors) -> Self {
        Self {
            paper,
            colors,
            right: SIZE.0 as i32 - 6,
        }
    }

    pub(super) fn add(
        &mut self,
        words: &str,
        sign: impl FnOnce(&Paper<'b>, i32, i32) -> Result<(), ChartError>,
    ) -> Result<(), ChartError> {
        let style = text_style(self.colors.faint).pos(Pos::new(HPos::Right, VPos::Top));
        self.paper
            .draw(&Text::new(words.to_owned(), (self.right, 6), style))?;
        let left = self.right - width_of(words) - 20;
        sign(self.paper, left, 6)?;
        self.right = left - 12;
        Ok(())
    }
}

/// About how wide a text is: a Chinese sign is a square, a Latin letter somewhat more than half of one.
pub(super) fn width_of(text: &str) -> i32 {
    let wide = text.chars().filter(|sign| !sign.is_ascii()).count() as i32;
    let narrow = text.chars().count() as i32 - wide;
    wide * TEXT_PX + narrow * TEXT_PX * 6 / 10
}

/// The span of a chart over time, in milliseconds since 1970.
pub(super) fn span(course: &Course) -> (f64, f64) {
    let until = course.as_of.millis() as f64;
    let from = course.as_of.minus_secs(course.window.secs()).millis() as f64;
    (from, until)
}

/// The hour and minute at a place of the axis; with seconds where less than ten minutes are shown.
pub(super) fn hour_at(course: &Course, millis: f64) -> String {
    let at = course.zone.time_of(Timestamp::from_millis(millis as i64));
    let format = if course.window.secs() < 600 {
        "%H:%M:%S"
    } else {
        "%H:%M"
    };
    at.format(format).to_string()
}

/// Whole minutes, five minutes or hours of the zone's clock that lie in the span.
pub(super) fn marks(course: &Course) -> Vec<f64> {
    let step = match course.window.secs() {
        0..=60 => 15_000,
        61..=300 => 60_000,
        301..=3600 => 600_000,
        _ => 4 * 3_600_000,
    };
    let (from, until) = span(course);
    let offset = course.zone.moment(course.as_of).offset().local_minus_utc();
    let offset = i64::from(offset) * 1000;
    let first = (from as i64 + offset).div_euclid(step) * step + step - offset;
    (first..=until as i64)
        .step_by(step as usize)
        .map(|at| at as f64)
        .collect()
}

/// A plot over numbers both ways.
type Plot<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// The axes and a few values at the left; what stands under the plot is the chart's own.
pub(super) fn mesh(chart: &mut Plot<'_, '_>, colors: Colors) -> Result<(), ChartError> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .y_labels(4)
        .light_line_style(TRANSPARENT)
        .bold_line_style(colors.line)
        .axis_style(colors.line)
        .label_style(text_style(colors.faint))
        .y_label_formatter(&|value| readable(*value))
        .draw()?;
    Ok(())
}

/// The hours under the plot, each at its place.
pub(super) fn hours(
    chart: &Plot<'_, '_>,
    paper: &Paper<'_>,
    course: &Course,
    colors: Colors,
) -> Result<(), ChartError> {
    let style = text_style(colors.faint).pos(Pos::new(HPos::Center, VPos::Top));
    for mark in marks(course) {
        let (x, y) = chart.backend_coord(&(mark, 0.0));
        paper.draw(&PathElement::new([(x, y), (x, y + 4)], colors.line))?;
        paper.draw(&Text::new(hour_at(course, mark), (x, y + 7), style.clone()))?;
    }
    Ok(())
}

/// The same picture for those who do not see it, at whatever size its page gives it.
pub(super) fn describe(svg: &str, title: &str, sentence: &str) -> String {
    let Some((head, rest)) = svg.split_once('>') else {
        return svg.to_owned();
    };
    let mut all = String::with_capacity(svg.len() + 200);
    let label = format!("{title}: {sentence}");
    let _ = write!(
        all,
        "{head} role=\"img\" aria-label=\"{}\"><title>{}</title><desc>{}</desc>{rest}",
        escaped(&label),
        escaped(title),
        escaped(sentence)
    );
    all
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
