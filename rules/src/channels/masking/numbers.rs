//! Numbers of persons, phones and cards, and addresses of e-mail, in running text.

/// Digits that stay at the beginning and at the end of a number.
const HEAD: usize = 3;
const TAIL: usize = 4;

/// A number that is longer than any order or time is hidden whatever it is.
const LONG: usize = 20;

/// Digits of the shortest number that is hidden: a mobile phone's.
pub(super) const SHORTEST: usize = 11;

/// Whether a number has fewer digits than any that is hidden.
pub(super) const fn is_short(number: u64) -> bool {
    number < 10_u64.pow(SHORTEST as u32 - 1)
}

/// One digit, or the X at the end of an identity number, with its place among the characters.
#[derive(Clone, Copy)]
struct Digit {
    at: usize,
    value: u8,
}

/// The text with its numbers and addresses hidden; none if it has none.
pub(super) fn masked(text: &str) -> Option<String> {
    let enough = text
        .chars()
        .filter(|c| digit(*c).is_some())
        .nth(SHORTEST - 1);
    if enough.is_none() && !text.contains(['@', '＠']) {
        return None;
    }
    let mut signs: Vec<char> = text.chars().collect();
    let mut changed = mask_numbers(&mut signs);
    changed |= mask_addresses(&mut signs);
    changed.then(|| signs.into_iter().collect())
}

fn digit(sign: char) -> Option<u8> {
    match sign {
        '0'..='9' => Some(sign as u8 - b'0'),
        '０'..='９' => Some((sign as u32 - '０' as u32) as u8),
        _ => None,
    }
}

const fn separates(sign: char) -> bool {
    matches!(
        sign,
        ' ' | '-' | '\u{a0}' | '－' | '‐' | '–' | '\u{2009}' | '/' | '.'
    )
}

/// Runs of digits that stand together, and chains of runs with one separator between each.
fn chains(signs: &[char]) -> Vec<Vec<Vec<Digit>>> {
    let mut chains: Vec<Vec<Vec<Digit>>> = Vec::new();
    let mut at = 0;
    let mut last_end = None;
    while at < signs.len() {
        if digit(signs[at]).is_none() {
            at += 1;
            continue;
        }
        let start = at;
        let mut run = Vec::new();
        while let Some(value) = signs.get(at).copied().and_then(digit) {
            run.push(Digit { at, value });
            at += 1;
        }
        let ends_in_x = signs
            .get(at)
            .is_some_and(|c| matches!(c, 'x' | 'X' | 'ｘ' | 'Ｘ'));
        if ends_in_x {
            run.push(Digit { at, value: 10 });
            at += 1;
        }
        let follows = start > 0 && separates(signs[start - 1]) && last_end == Some(start - 1);
        match chains.last_mut().filter(|_| follows) {
            Some(chain) => chain.push(run),
            None => chains.push(vec![run]),
        }
        last_end = Some(at);
    }
    chains
}

fn mask_numbers(signs: &mut [char]) -> bool {
    let mut changed = false;
    for chain in chains(signs) {
        let mut first = 0;
        while first < chain.len() {
            // The longest row of runs from here that is a number.
            let rows = rows_from(&chain[first..]);
            let found = (1..=rows).rev().find_map(|runs| {
                let digits = chain[first..first + runs].concat();
                is_personal(&digits, runs > 1).then_some((first + runs - 1, digits))
            });
            match found {
                Some((last, digits)) => {
                    hide(signs, &digits);
                    changed = true;
                    first = last + 1;
                }
                None => {
                    changed |= hide_within(signs, &chain[first]);
                    first += 1;
                }
            }
        }
    }
    changed
}

/// How many of these runs together have few enough digits to be one number; one at the least.
fn rows_from(runs: &[Vec<Digit>]) -> usize {
    let mut digits = 0;
    let short = runs.iter().take_while(|run| {
        digits += run.len();
        digits < LONG
    });
    short.count().max(1)
}

fn hide(signs: &mut [char], digits: &[Digit]) {
    let last = digits.len().saturating_sub(TAIL);
    for digit in digits.iter().take(last).skip(HEAD) {
        signs[digit.at] = '*';
    }
}

/// A run too long for one number hides what is inside of it.
fn hide_within(signs: &mut [char], run: &[Digit]) -> bool {
    if run.len() < LONG {
        return false;
    }
    hide(signs, run);
    true
}

/// Whether digits are a number of a person, a phone or a card. Runs that are joined over separators
/// must be a phone, an identity number or a card, not merely long.
fn is_personal(digits: &[Digit], joined: bool) -> bool {
    let value = |at: usize| u32::from(digits[at].value);
    let has_x = digits.iter().any(|one| one.value == 10);
    let number = |from: usize, to: usize| (from..to).fold(0, |sum, at| sum * 10 + value(at));
    let x_is_last = !has_x || (digits.len() == 18 && value(17) == 10);
    if has_x && !x_is_last {
        // An X that belongs to the text behind it.
        return digits.len() > 1 && is_personal(&digits[..digits.len() - 1], joined);
    }
    let is_date = |month: u32, day: u32| (1..=12).contains(&month) && (1..=31).contains(&day);
    let phone = |from: usize| value(from) == 1 && (3..=9).contains(&value(from + 1));
    match digits.len() {
        11 => phone(0),
        12 => value(0) == 0 && phone(1),
        13 => number(0, 2) == 86 && phone(2),
        15 if number(0, 4) == 86 && phone(4) => true,
        15 => is_date(number(8, 10), number(10, 12)) && value(0) > 0,
        18 if (1850..2100).contains(&number(6, 10)) && is_date(number(10, 12), number(12, 14)) => {
            true
        }
        16..=19 => is_luhn(digits),
        length => !joined && length >= LONG,
    }
}

/// The check digit of bank cards (ISO/IEC 7812-1, Luhn).
fn is_luhn(digits: &[Digit]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit.value) * if place % 2 == 1 { 2 } else { 1 };
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    let all_zero = digits.iter().all(|one| one.value == 0);
    sum.is_multiple_of(10) && !all_zero && digits.iter().all(|one| one.value < 10)
}

/// Hides the part of e-mail addresses before the @, but for its first letter.
fn mask_addresses(signs: &mut [char]) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '%' | '*');
    let mut changed = false;
    for at in 0..signs.len() {
        if !matches!(signs[at], '@' | '＠') {
            continue;
        }
        let start = signs[..at]
            .iter()
            .rposition(|c| !is_part(*c))
            .map_or(0, |place| place + 1);
        let end = signs[at + 1..].iter().position(|c| !is_part(*c));
        let domain = &signs[at + 1..end.map_or(signs.len(), |end| at + 1 + end)];
        if start == at || !domain.contains(&'.') {
            continue;
        }
        let from = if at - start > 1 { start + 1 } else { start };
        signs[from..at].fill('*');
        changed = true;
    }
    changed
}
