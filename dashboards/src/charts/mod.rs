//! Charts as SVG: pure functions from figures to text, the same on every machine. No font is asked for its
//! measures: letters are the reader's own, and places are reckoned generously.
//!
//! Each carries its title and, as a description, what it says in words. Colour never speaks alone: failures
//! are narrower bars, percentiles differ in their strokes and have their names at the line's end.

mod calls;
mod canvas;
mod distribution;
mod theme;
mod times;

use rules::channels::course::{Bar, Stretch};
use rules::channels::{Times, Window};
use rules::name::Lang;
use rules::time::{TimeZone, Timestamp};

pub use theme::Theme;

/// What a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Calls and failures over time.
    Calls,
    /// Percentiles of the times over time.
    Times,
    /// How many calls took how long.
    Distribution,
}

impl Kind {
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "calls" => Some(Self::Calls),
            "times" => Some(Self::Times),
            "distribution" => Some(Self::Distribution),
            _ => None,
        }
    }
}

/// The calls of a window of one channel, ready to be drawn.
#[derive(Debug, Clone)]
pub struct Course {
    pub window: Window,
    /// The window ends here.
    pub as_of: Timestamp,
    /// By which the hours are told.
    pub zone: TimeZone,
    pub stretches: Vec<Stretch>,
    pub bars: Vec<Bar>,
    pub whole: Times,
    /// Slow is what takes longer.
    pub slow_ms: f64,
}

/// The drawing failed; it draws into memory, so this does not happen.
#[derive(Debug, thiserror::Error)]
#[error("the chart could not be drawn: {0}")]
pub struct ChartError(String);

/// Draws a chart.
///
/// # Errors
/// See [`ChartError`].
pub fn draw(kind: Kind, course: &Course, lang: Lang, theme: Theme) -> Result<String, ChartError> {
    let words = Words { lang };
    let plain = match kind {
        Kind::Calls => calls::draw(course, words, theme.colors()),
        Kind::Times => times::draw(course, words, theme.colors()),
        Kind::Distribution => distribution::draw(course, words, theme.colors()),
    };
    let title = words.title(kind, course.window);
    Ok(canvas::describe(
        &plain?,
        title.as_str(),
        &words.sentence(kind, course),
    ))
}

/// The words of charts in one language.
#[derive(Clone, Copy)]
struct Words {
    lang: Lang,
}

impl Words {
    const fn of<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    fn title(self, kind: Kind, window: Window) -> String {
        let kind = match kind {
            Kind::Calls => self.of("调用与失败", "Calls and failures"),
            Kind::Times => self.of("响应时间（毫秒）", "Response times (ms)"),
            Kind::Distribution => self.of("响应时间分布", "Distribution of response times"),
        };
        let window = match window {
            Window::Minute => self.of("近 1 分钟", "last minute"),
            Window::FiveMinutes => self.of("近 5 分钟", "last 5 minutes"),
            Window::Hour => self.of("近 1 小时", "last hour"),
            Window::Day => self.of("近 24 小时", "last 24 hours"),
        };
        format!("{kind} · {window}")
    }

    /// What the chart says.
    fn sentence(self, kind: Kind, course: &Course) -> String {
        let all = &course.whole;
        if all.calls + all.refused == 0 {
            return self.nothing().to_owned();
        }
        let ms = |ms: Option<f64>| ms.map_or_else(|| "—".to_owned(), readable);
        match kind {
            Kind::Calls => match self.lang {
                Lang::Zh => format!(
                    "调用 {} 次，失败 {} 次，拒绝 {} 次",
                    all.calls, all.failed, all.refused
                ),
                Lang::En => format!(
                    "{} calls, {} failed, {} refused",
                    all.calls, all.failed, all.refused
                ),
            },
            Kind::Times | Kind::Distribution => {
                let (p50, p95, p99, max) = (
                    ms(all.p50_ms),
                    ms(all.p95_ms),
                    ms(all.p99_ms),
                    ms(all.max_ms),
                );
                match self.lang {
                    Lang::Zh => {
                        format!("中位 {p50} 毫秒，95% {p95} 毫秒，99% {p99} 毫秒，最长 {max} 毫秒")
                    }
                    Lang::En => format!(
                        "median {p50} ms, 95th percentile {p95} ms, 99th {p99} ms, longest {max} ms"
                    ),
                }
            }
        }
    }

    const fn nothing(self) -> &'static str {
        match self.lang {
            Lang::Zh => "这段时间没有调用",
            Lang::En => "no calls in this time",
        }
    }
}

/// A number with as many digits as one reads.
fn readable(number: f64) -> String {
    match number.abs() {
        n if n >= 100.0 || (n - n.round()).abs() < 0.05 => format!("{number:.0}"),
        n if n >= 1.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}
