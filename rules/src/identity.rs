//! Who holds a ticket: identity documents checked for form, and kept only masked.
//!
//! The full number never enters an event. What stays is the kind, a masked number and name, and a
//! keyed hash made at the edge, by which earlier visits of the same person are found.

use chrono::{Datelike as _, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::ids::Tag;

/// Why a number cannot be right, in words for a person. The number itself is not said again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityFault {
    pub zh: &'static str,
    pub en: &'static str,
}

const fn fault(zh: &'static str, en: &'static str) -> Result<(), IdentityFault> {
    Err(IdentityFault { zh, en })
}

/// What the holder identified with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// Resident identity card, 18 characters with a check digit (GB 11643).
    IdCard,
    /// Electronic social-security code.
    SocialSecurityCode,
    /// City identity code.
    IdentityCode,
    /// Foreigner's permanent-residence card: 15 characters (three letters, twelve digits) or, since
    /// December 2023, 18 characters beginning with 9, with date of birth and check digit where a
    /// citizen's number has them. The older form is checked for its form only: no public rule for a
    /// check digit of it was found.
    ForeignPermanentResidence,
    Passport,
    /// Mobile number, 11 digits.
    Phone,
    None,
}

impl IdentityKind {
    /// Whether a number goes with this kind.
    pub const fn has_number(self) -> bool {
        !matches!(self, Self::None)
    }

    /// Checks the form of a number, trimmed and in capitals.
    ///
    /// # Errors
    /// Why the number cannot be one of this kind.
    pub fn check(self, number: &str) -> Result<(), IdentityFault> {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let alphanumeric = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
        match self {
            Self::IdCard if number.starts_with('9') => fault(
                "这是外国人永久居留身份证号码，请选择相应证件",
                "this is a number of a foreign permanent-residence card",
            ),
            Self::IdCard => check_gb11643(number),
            Self::ForeignPermanentResidence if number.len() == 18 && number.starts_with('9') => {
                check_gb11643(number)
            }
            Self::ForeignPermanentResidence => {
                let well_formed = number.len() == 15
                    && number.is_ascii()
                    && number[..3].bytes().all(|b| b.is_ascii_uppercase())
                    && digits(&number[3..]);
                if well_formed {
                    Ok(())
                } else {
                    fault(
                        "应为 3 个字母加 12 位数字，或以 9 开头的 18 位号码",
                        "three letters and twelve digits, or 18 digits beginning with 9",
                    )
                }
            }
            Self::Phone if number.len() == 11 && number.starts_with('1') && digits(number) => {
                Ok(())
            }
            Self::Phone => fault(
                "手机号码应为 1 开头的 11 位数字",
                "a mobile number has 11 digits and begins with 1",
            ),
            Self::Passport if (5..=20).contains(&number.len()) && alphanumeric(number) => Ok(()),
            Self::Passport => fault("应为 5 至 20 位字母或数字", "5 to 20 letters and digits"),
            Self::SocialSecurityCode | Self::IdentityCode
                if (6..=128).contains(&number.len()) && alphanumeric(number) =>
            {
                Ok(())
            }
            Self::SocialSecurityCode | Self::IdentityCode => {
                fault("应为 6 至 128 位字母或数字", "6 to 128 letters and digits")
            }
            Self::None => fault("该方式不需要号码", "this kind has no number"),
        }
    }
}

/// Date of birth and check digit of an 18-character citizen number (GB 11643-1999): ISO 7064
/// MOD 11-2 over 17 digits.
fn check_gb11643(number: &str) -> Result<(), IdentityFault> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECK: &[u8; 11] = b"10X98765432";
    let bytes = number.as_bytes();
    if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
        return fault(
            "应为 18 位：17 位数字加 1 位校验码",
            "17 digits and a check digit",
        );
    }
    let part = |from: usize, to: usize| number[from..to].parse::<u32>().unwrap_or(0);
    let born = NaiveDate::from_ymd_opt(part(6, 10) as i32, part(10, 12), part(12, 14));
    if born.is_none_or(|born| born.year() < 1850) {
        return fault("号码中的出生日期不存在", "the date of birth cannot be");
    }
    let sum: u32 = WEIGHTS
        .iter()
        .zip(bytes)
        .map(|(weight, digit)| weight * u32::from(digit - b'0'))
        .sum();
    if CHECK[(sum % 11) as usize] == bytes[17] {
        Ok(())
    } else {
        fault("校验码不符，请核对号码", "the check digit does not fit")
    }
}

/// Agents (intermediaries) and ordinary citizens are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HolderClass {
    #[default]
    Citizen,
    Agent,
}

/// What a ticket knows of its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub kind: IdentityKind,
    pub class: HolderClass,
    /// e.g. `110***********1234`
    pub id_masked: Option<String>,
    /// e.g. `张*`
    pub name_masked: Option<String>,
    /// e.g. `138****5678`
    pub phone_masked: Option<String>,
    /// Keyed hash of kind and number; equal for the same document, useless without the key.
    pub person: Option<String>,
}

/// Keeps the first three and the last four of a number of at least ten characters, the last two
/// of a shorter one.
pub fn mask_number(number: &str) -> String {
    let chars: Vec<char> = number.chars().collect();
    let (head, tail) = if chars.len() >= 10 {
        (3, 4)
    } else {
        (0, chars.len().min(2))
    };
    chars
        .iter()
        .enumerate()
        .map(|(i, c)| {
            if i < head || i + tail >= chars.len() {
                *c
            } else {
                '*'
            }
        })
        .collect()
}

/// Keeps the first character of a name and, from three characters on, the last: `张*`, `张*明`.
pub fn mask_name(name: &str) -> String {
    let chars: Vec<char> = name.trim().chars().collect();
    chars
        .iter()
        .enumerate()
        .map(|(i, c)| {
            if i == 0 || (chars.len() >= 3 && i + 1 == chars.len()) {
                *c
            } else {
                '*'
            }
        })
        .collect()
}

/// Tags as a sorted, bounded list makes no sense beyond a handful.
pub const TAGS_MAX: usize = 16;

/// Whether a list of tags may be taken.
pub fn tags_are_valid(tags: &std::collections::BTreeSet<Tag>) -> bool {
    tags.len() <= TAGS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resident_card_with_a_wrong_check_digit_is_refused() {
        assert_eq!(IdentityKind::IdCard.check("11010519491231002X"), Ok(()));
        assert!(IdentityKind::IdCard.check("110105194912310021").is_err());
        assert!(IdentityKind::IdCard.check("1101051949123100").is_err());
    }

    /// The check digit of each fits; the dates are 30 February, month 13, and the year 0001.
    #[test]
    fn a_date_of_birth_that_never_was_is_refused() {
        for number in [
            "110105194902300020",
            "110105194913010029",
            "110105000112310023",
        ] {
            let why = IdentityKind::IdCard.check(number).map_err(|fault| fault.en);
            assert_eq!(why, Err("the date of birth cannot be"), "{number}");
        }
    }

    #[test]
    fn the_new_residence_card_has_a_citizens_check_digit_and_is_no_id_card() {
        let kind = IdentityKind::ForeignPermanentResidence;
        assert_eq!(kind.check("911124198108030024"), Ok(()));
        assert!(kind.check("911124198108030025").is_err());
        assert!(IdentityKind::IdCard.check("911124198108030024").is_err());
    }

    #[test]
    fn both_forms_of_the_permanent_residence_card_are_known() {
        let kind = IdentityKind::ForeignPermanentResidence;
        assert_eq!(kind.check("USA110090051234"), Ok(()));
        assert!(kind.check("US1110090051234").is_err());
        assert!(kind.check("美国人110090051234").is_err());
        assert!(kind.check("").is_err());
    }

    #[test]
    fn masks_leave_nothing_that_identifies() {
        assert_eq!(mask_number("11010519491231002X"), "110***********002X");
        assert_eq!(mask_number("13812345678"), "138****5678");
        assert_eq!(mask_number("AB12"), "**12");
        assert_eq!(mask_name("张三"), "张*");
        assert_eq!(mask_name("欧阳明敏"), "欧**敏");
    }
}
