//! Names and sentences in the two languages of the product.

use serde::{Deserialize, Deserializer, Serialize};

/// The language a person asked for. Chinese comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    #[default]
    Zh,
    En,
}

impl Lang {
    /// Reads `zh`, `zh-CN`, `en`, `en-US` …; the first tag of an `Accept-Language` will do.
    pub fn from_tag(tag: &str) -> Option<Self> {
        match tag.trim().get(..2)?.to_ascii_lowercase().as_str() {
            "zh" => Some(Self::Zh),
            "en" => Some(Self::En),
            _ => None,
        }
    }
}

/// Longest name accepted, in characters.
pub const NAME_MAX_CHARS: usize = 80;

/// A name in both languages. In JSON a bare string is accepted and stands for both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Name {
    pub zh: String,
    pub en: String,
}

impl Name {
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            zh: zh.into(),
            en: en.into(),
        }
    }

    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            zh: text.clone(),
            en: text,
        }
    }

    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }

    /// Whether both texts are present and of bearable length.
    pub fn is_valid(&self) -> bool {
        [&self.zh, &self.en].into_iter().all(|text| {
            let chars = text.chars().count();
            (1..=NAME_MAX_CHARS).contains(&chars)
                && !text.trim().is_empty()
                && !text.chars().any(char::is_control)
        })
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a name is a string or {\"zh\": …, \"en\": …}")]
        enum Form {
            Bare(String),
            Both { zh: String, en: String },
            ZhOnly { zh: String },
            EnOnly { en: String },
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Bare(text) | Form::ZhOnly { zh: text } | Form::EnOnly { en: text } => {
                Self::same(text)
            }
            Form::Both { zh, en } => Self { zh, en },
        })
    }
}
