//! How a call is said: which recorded words, in which order.
//!
//! A word is a *clip* of a language's *set*; the same names stand for the files a hall may record
//! itself. Numbers of tickets are read sign by sign, windows as numbers.

use serde::{Deserialize, Serialize};

use crate::ids::WindowId;
use crate::name::Name;

/// A language that a hall may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Mandarin.
    Zh,
    En,
    /// Cantonese.
    Yue,
}

impl Language {
    pub const ALL: [Self; 3] = [Self::Zh, Self::En, Self::Yue];

    /// The name of its set of clips.
    pub const fn set(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
            Self::Yue => "yue",
        }
    }

    /// The clips of its set.
    pub fn clips(self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Zh | Self::Yue => &["please", "number", "to", "window", "your-window", "100"],
            Self::En => &["ticket", "go-to-window", "go-to-your-window", "100"],
        };
        let mut clips: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let counted: Vec<u32> = match self {
            Self::Zh | Self::Yue => (0..=10).collect(),
            Self::En => (0..20).chain((20..100).step_by(10)).collect(),
        };
        clips.extend(counted.iter().map(u32::to_string));
        if self == Self::Zh {
            clips.push(YAO.to_owned());
        }
        clips
    }
}

/// 幺, as 1 is read in a row of digits.
const YAO: &str = "yao";

/// The set of what sounds the same in every language: the chime and the letters.
pub const COMMON_SET: &str = "common";

/// The clips of the common set.
pub fn common_clips() -> Vec<String> {
    let letters = ('a'..='z').map(String::from);
    letters.chain([CHIME.to_owned()]).collect()
}

/// Sounded before a call.
pub const CHIME: &str = "chime";

/// Between two parts of a sentence, and between two languages.
const COMMA_MS: u32 = 220;
const FULL_STOP_MS: u32 = 450;

/// How a hall speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VoiceOptions {
    pub on: bool,
    /// Said one after the other.
    pub languages: Vec<Language>,
    /// In Mandarin a 1 in a ticket's number is read 幺 (yāo), not 一 (yī).
    pub one_as_yao: bool,
}

impl Default for VoiceOptions {
    fn default() -> Self {
        Self {
            on: true,
            languages: vec![Language::Zh],
            one_as_yao: false,
        }
    }
}

impl VoiceOptions {
    /// What is wrong with the languages.
    pub fn fault(&self) -> Option<&'static str> {
        let mut once = self.languages.clone();
        once.sort_unstable();
        once.dedup();
        if once.is_empty() {
            return Some("at least one language");
        }
        (once.len() < self.languages.len()).then_some("each language once")
    }
}

/// A part of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sound {
    Clip { set: &'static str, name: String },
    Pause { ms: u32 },
}

/// What a window is called aloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Letters such as the `F` of `F10`, and the number.
    Numbered { letters: String, number: u32 },
    /// It has no number to say.
    Unnumbered,
}

/// Largest window number read as a number.
const NUMBER_MAX: u32 = 999;

/// What a window is called: the number that its name shows, in front of 号 if there is one; else
/// the number in its id.
pub fn place(id: &WindowId, name: &Name) -> Place {
    numbers_in(&name.zh)
        .or_else(|| numbers_in(&name.en))
        .or_else(|| numbers_in(id.as_str()))
        .unwrap_or(Place::Unnumbered)
}

fn numbers_in(text: &str) -> Option<Place> {
    let signs: Vec<char> = text.chars().collect();
    let mut found = None;
    let mut at = 0;
    while at < signs.len() {
        let end = run_end(&signs, at, |c| c.is_ascii_digit());
        if end > at {
            let before_hao = signs.get(end) == Some(&'号');
            let place = place_at(&signs, at, end);
            if before_hao {
                return place.or(found);
            }
            found = place.or(found);
        }
        at = end.max(at + 1);
    }
    found
}

fn run_end(signs: &[char], from: usize, holds: impl Fn(char) -> bool) -> usize {
    let rest = signs[from..].iter().take_while(|c| holds(**c));
    from + rest.count()
}

fn place_at(signs: &[char], from: usize, to: usize) -> Option<Place> {
    let digits: String = signs[from..to].iter().collect();
    let number = digits.parse().ok().filter(|n| *n <= NUMBER_MAX)?;
    let capitals = signs[..from]
        .iter()
        .rev()
        .take_while(|c| c.is_ascii_uppercase());
    let mut letters: Vec<char> = capitals.copied().collect();
    letters.reverse();
    let letters = if letters.len() <= 2 {
        letters.into_iter().collect()
    } else {
        String::new()
    };
    Some(Place::Numbered { letters, number })
}

/// The whole call: the chime if wanted, then each language.
pub fn call(number: &str, place: &Place, options: &VoiceOptions, chime: bool) -> Vec<Sound> {
    let mut sounds = Vec::new();
    if chime {
        sounds.push(Sound::Clip {
            set: COMMON_SET,
            name: CHIME.to_owned(),
        });
    }
    for (nth, language) in options.languages.iter().enumerate() {
        if nth > 0 {
            sounds.push(Sound::Pause { ms: FULL_STOP_MS });
        }
        sounds.extend(sentence(number, place, *language, options.one_as_yao));
    }
    sounds
}

fn sentence(number: &str, place: &Place, language: Language, one_as_yao: bool) -> Vec<Sound> {
    let set = language.set();
    let clip = |name: &str| Sound::Clip {
        set,
        name: name.to_owned(),
    };
    let signs = |text: &str, yao: bool| -> Vec<Sound> {
        let known = text.chars().filter(char::is_ascii_alphanumeric);
        known
            .map(|sign| match sign {
                '1' if yao => clip(YAO),
                '0'..='9' => clip(&sign.to_string()),
                letter => Sound::Clip {
                    set: COMMON_SET,
                    name: letter.to_ascii_lowercase().to_string(),
                },
            })
            .collect()
    };
    let yao = one_as_yao && language == Language::Zh;
    let is_english = language == Language::En;
    let mut sounds = vec![clip(if is_english { "ticket" } else { "please" })];
    sounds.extend(signs(number, yao));
    if !is_english {
        sounds.push(clip("number"));
    }
    sounds.push(Sound::Pause { ms: COMMA_MS });
    match place {
        Place::Numbered { letters, number } => {
            sounds.push(clip(if is_english { "go-to-window" } else { "to" }));
            sounds.extend(signs(letters, false));
            let words = if is_english {
                counted_in_english(*number)
            } else {
                counted_in_chinese(*number)
            };
            sounds.extend(words.iter().map(|n| clip(&n.to_string())));
            if !is_english {
                sounds.push(clip("window"));
            }
        }
        Place::Unnumbered if is_english => sounds.push(clip("go-to-your-window")),
        Place::Unnumbered => sounds.push(clip("your-window")),
    }
    sounds
}

/// The words of a number up to 999 in Chinese: 12 is 十二, 20 二十, 105 一百零五, 110 一百一十.
fn counted_in_chinese(number: u32) -> Vec<u32> {
    let (hundreds, tens, ones) = (number / 100, number / 10 % 10, number % 10);
    let mut words = Vec::new();
    if hundreds > 0 {
        words.extend([hundreds, 100]);
        if tens == 0 && ones > 0 {
            words.push(0);
        }
    }
    if tens > 1 || (tens == 1 && hundreds > 0) {
        words.push(tens);
    }
    if tens > 0 {
        words.push(10);
    }
    if ones > 0 || number == 0 {
        words.push(ones);
    }
    words
}

/// The words of a number up to 999 in English: 21 is twenty one, 105 one hundred five.
fn counted_in_english(number: u32) -> Vec<u32> {
    let mut words = Vec::new();
    if number >= 100 {
        words.extend([number / 100, 100]);
    }
    match number % 100 {
        0 if number > 0 => {}
        rest @ 0..20 => words.push(rest),
        rest => {
            words.push(rest / 10 * 10);
            words.extend((rest % 10 > 0).then_some(rest % 10));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clips of a call, common ones without their set; a pause is a comma.
    fn told(number: &str, place: &Place, language: Language) -> String {
        let options = VoiceOptions {
            languages: vec![language],
            ..VoiceOptions::default()
        };
        words(&call(number, place, &options, false))
    }

    fn words(sounds: &[Sound]) -> String {
        let word = |sound: &Sound| match sound {
            Sound::Clip { name, .. } => name.clone(),
            Sound::Pause { .. } => ",".to_owned(),
        };
        sounds.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn window(number: u32) -> Place {
        Place::Numbered {
            letters: String::new(),
            number,
        }
    }

    #[test]
    fn a_call_is_said_as_the_hall_says_it() {
        assert_eq!(
            told("A012", &window(3), Language::Zh),
            "please a 0 1 2 number , to 3 window"
        );
        assert_eq!(
            told("A012", &window(3), Language::En),
            "ticket a 0 1 2 , go-to-window 3"
        );
        assert_eq!(
            told("A012", &Place::Unnumbered, Language::Yue),
            "please a 0 1 2 number , your-window"
        );
    }

    #[test]
    fn yao_stands_for_one_in_a_mandarin_number_but_not_in_a_window() {
        let options = VoiceOptions {
            languages: vec![Language::Zh, Language::Yue],
            one_as_yao: true,
            ..VoiceOptions::default()
        };
        assert_eq!(
            words(&call("B110", &window(11), &options, true)),
            "chime please b yao yao 0 number , to 10 1 window , please b 1 1 0 number , to 10 1 window"
        );
    }

    #[test]
    fn windows_are_counted_in_chinese_and_in_english() {
        for (number, chinese, english) in [
            (0, "0", "0"),
            (9, "9", "9"),
            (10, "10", "10"),
            (12, "10 2", "12"),
            (20, "2 10", "20"),
            (21, "2 10 1", "20 1"),
            (100, "1 100", "1 100"),
            (105, "1 100 0 5", "1 100 5"),
            (110, "1 100 1 10", "1 100 10"),
            (118, "1 100 1 10 8", "1 100 18"),
            (999, "9 100 9 10 9", "9 100 90 9"),
        ] {
            let zh = format!("please a number , to {chinese} window");
            assert_eq!(told("A", &window(number), Language::Zh), zh);
            let en = format!("ticket a , go-to-window {english}");
            assert_eq!(told("A", &window(number), Language::En), en);
        }
    }

    #[test]
    fn a_window_is_called_by_the_number_it_shows() {
        for (id, name, called) in [
            ("3", "3号窗口", Some(("", 3))),
            ("w1", "12号窗口", Some(("", 12))),
            ("w1", "2楼3号窗口", Some(("", 3))),
            ("x", "F10号窗口", Some(("F", 10))),
            ("x", "2楼B区", Some(("", 2))),
            ("7", "综合窗口", Some(("", 7))),
            ("W-07", "综合窗口", Some(("", 7))),
            ("main", "综合窗口", None),
            ("main", "20260101号", None),
            ("x", "WINDOW4", Some(("", 4))),
        ] {
            let expected = called.map_or(Place::Unnumbered, |(letters, number)| Place::Numbered {
                letters: letters.to_owned(),
                number,
            });
            let id = id.parse().expect("an id");
            assert_eq!(place(&id, &Name::same(name)), expected, "{name}");
        }
    }

    #[test]
    fn every_clip_of_every_sentence_is_named() {
        let places = (0..=NUMBER_MAX).map(window).chain([
            Place::Unnumbered,
            Place::Numbered {
                letters: "QX".to_owned(),
                number: 1,
            },
        ]);
        let options = VoiceOptions {
            languages: Language::ALL.to_vec(),
            one_as_yao: true,
            ..VoiceOptions::default()
        };
        for place in places {
            for sound in call("ZA0123456789", &place, &options, true) {
                let Sound::Clip { set, name } = sound else {
                    continue;
                };
                let language = Language::ALL.into_iter().find(|one| one.set() == set);
                let known = language.map_or_else(common_clips, Language::clips);
                assert!(known.contains(&name), "{set}/{name}");
            }
        }
    }
}
