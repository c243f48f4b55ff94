//! The words of a strip. Each state has a ladder of forms, the fullest first; the first that is
//! meant for the strip's width and fits is shown. If none fits, the fullest runs through.

use rules::name::{Lang, Name};
use rules::window::WindowKind;

use super::{Show, Size, width};
use crate::window::WindowView;

/// A form of a text and the narrowest strip, in columns, that it is meant for.
type Form = (u16, &'static str);

/// What stands on a strip.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Words {
    One(String),
    /// One line of signs twice as large.
    Double(String),
    Two(String, String),
}

const fn one_line(show: Show, lang: Lang) -> &'static [Form] {
    match (show, lang) {
        (Show::Call, Lang::Zh) => &[
            (128, "请{number}号到本窗口"),
            (128, "请{number}到本窗口"),
            (96, "请{number}号办理"),
            (96, "请{number}办理"),
            (64, "请{number}号"),
            (64, "请{number}"),
            (64, "{number}"),
        ],
        (Show::Call, Lang::En) => &[
            (128, "{number} please come"),
            (96, "{number} come in"),
            (64, "Now {number}"),
            (64, "{number}"),
        ],
        (Show::Serve, Lang::Zh) => &[
            (128, "{number} 正在办理中"),
            (128, "{number}正在办理中"),
            (96, "{number}正在办理"),
            (64, "{number}办理"),
            (64, "{number}"),
        ],
        (Show::Serve, Lang::En) => &[(96, "Serving {number}"), (64, "{number}")],
        (Show::Idle, Lang::Zh) => &[
            (128, "{two-digit window} {only service}"),
            (96, "{window}号{kind}窗口"),
            (96, "{window}{kind}窗口"),
            (64, "欢迎光临"),
        ],
        (Show::Idle, Lang::En) => &[
            (128, "{two-digit window} {only service}"),
            (64, "Window {window}"),
            (64, "Welcome"),
        ],
        (Show::Pause, Lang::Zh) => &[(128, "暂离，请稍候"), (64, "暂停服务")],
        (Show::Pause, Lang::En) => &[(96, "Back shortly"), (64, "Paused")],
        (Show::Off, Lang::Zh) => &[(96, "本窗口未开放"), (64, "窗口关闭")],
        (Show::Off, Lang::En) => &[(128, "Window closed"), (64, "Closed")],
        (Show::Staff, Lang::Zh) => &[(96, "请听工作人员"), (64, "人工叫号")],
        (Show::Staff, Lang::En) => &[
            (128, "Please ask staff"),
            (96, "Ask staff"),
            (64, "Ask desk"),
        ],
    }
}

/// The two lines of a strip of 32 rows.
const fn two_lines(show: Show, lang: Lang) -> (&'static [Form], &'static [Form]) {
    match (show, lang) {
        (Show::Call, Lang::Zh) => (
            &[
                (96, "请{number}号办理"),
                (96, "请{number}办理"),
                (64, "请{number}"),
            ],
            &[(64, "{service}")],
        ),
        (Show::Call, Lang::En) => (one_line(show, lang), &[(64, "{service}")]),
        (Show::Serve, _) => (one_line(show, lang), &[(64, "{service}")]),
        (Show::Idle, Lang::Zh) => (
            &[(96, "{window}号{kind}窗口"), (96, "{window}{kind}窗口")],
            &[(64, "{only service}"), (64, "欢迎光临")],
        ),
        (Show::Idle, Lang::En) => (
            &[(64, "Window {window}")],
            &[(64, "{only service}"), (64, "Welcome")],
        ),
        (Show::Pause, Lang::Zh) => (&[(64, "暂停服务")], &[(64, "暂离，请稍候")]),
        (Show::Pause, Lang::En) => (&[(64, "Paused")], &[(64, "Back shortly")]),
        (Show::Off, Lang::Zh) => (&[(64, "本窗口未开放")], &[(64, "请到其他窗口")]),
        (Show::Off, Lang::En) => (&[(64, "Window closed")], &[(64, "Other windows")]),
        // Said in signs of double size.
        (Show::Staff, _) => (&[], &[]),
    }
}

const fn kind_word(kind: WindowKind) -> &'static str {
    match kind {
        WindowKind::Comprehensive => "综合",
        WindowKind::Acceptance => "受理",
        WindowKind::Consultation => "咨询",
        WindowKind::Payment => "收费",
        WindowKind::ResultIssue => "出证",
        WindowKind::Dedicated => "专用",
        WindowKind::Petition => "信访",
    }
}

pub(super) fn words(show: Show, view: &WindowView, size: Size, lang: Lang) -> Words {
    let fill = |form: &str| filled(form, view, lang);
    if size.rows() == 16 {
        return Words::One(fitting(one_line(show, lang), size.columns(), fill));
    }
    let (above, below) = two_lines(show, lang);
    let above = fitting(above, size.columns(), fill);
    let below = fitting(below, size.columns(), fill);
    match (above.is_empty(), below.is_empty()) {
        (false, false) => Words::Two(above, below),
        // Nothing for one of the lines: one of double size instead.
        _ => Words::Double(fitting(one_line(show, lang), size.columns() / 2, fill)),
    }
}

/// What is said without knowing of any window.
pub(super) fn staff(size: Size, lang: Lang) -> Words {
    let plain = |form: &str| Some(form.to_owned());
    match size.rows() {
        16 => Words::One(fitting(one_line(Show::Staff, lang), size.columns(), plain)),
        _ => Words::Double(fitting(
            one_line(Show::Staff, lang),
            size.columns() / 2,
            plain,
        )),
    }
}

/// The first form that is meant for the width and fits it; else the fullest; empty if there is none.
fn fitting(forms: &[Form], columns: u16, fill: impl Fn(&str) -> Option<String>) -> String {
    let meant = forms.iter().filter(|(narrowest, _)| *narrowest <= columns);
    let texts: Vec<String> = meant.filter_map(|(_, form)| fill(form)).collect();
    let fits = texts.iter().find(|text| width(text) <= columns);
    fits.or(texts.first()).cloned().unwrap_or_default()
}

/// A form with its places filled; `None` if the window has nothing for one of them.
fn filled(form: &str, view: &WindowView, lang: Lang) -> Option<String> {
    let mut text = form.to_owned();
    if form.contains("{number}") {
        text = text.replace("{number}", &view.ticket.as_ref()?.number);
    }
    if form.contains("{service}") {
        let name = view.ticket.as_ref()?.service_name.as_ref()?;
        text = text.replace("{service}", name.get(lang));
    }
    if form.contains("{only service}") {
        text = text.replace("{only service}", only(&view.services)?.get(lang));
    }
    if form.contains("{two-digit window}") {
        text = text.replace("{two-digit window}", &two_digit(&view.window));
    }
    text = text.replace("{window}", &view.window);
    Some(text.replace("{kind}", kind_word(view.kind)))
}

fn only(services: &[Name]) -> Option<&Name> {
    match services {
        [one] => Some(one),
        _ => None,
    }
}

fn two_digit(window: &str) -> String {
    match window.parse::<u8>() {
        Ok(number) => format!("{number:02}"),
        Err(_) => window.to_owned(),
    }
}
