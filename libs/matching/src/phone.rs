//! Telephone numbers as people type them: mobiles, landlines with area codes and extensions, several in one cell.

use crate::text::fold;

/// The telephone numbers of one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phones {
    /// Mobile numbers, eleven digits each.
    pub mobiles: Vec<u64>,
    /// All others.
    pub lines: Vec<Line>,
}

/// A number that several people may share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Area code and number; without an area code where none was given.
    pub number: u64,
    /// How many of its digits are the number proper.
    pub local_digits: u32,
    /// Extension.
    pub extension: Option<u32>,
}

/// Most numbers of a record that are looked at.
const MAX_NUMBERS: usize = 4;

impl Phones {
    /// Adds the numbers of a cell; what is none is passed over.
    pub fn read(&mut self, cell: &str) {
        let folded = fold(cell);
        let mut number = String::new();
        for part in folded.split(['/', '、', ',', ';', '|']) {
            number.push_str(part);
            // In 310/246-1501 the sign stands inside a number.
            if number.chars().filter(char::is_ascii_digit).count() < 7 {
                number.push('-');
                continue;
            }
            if self.mobiles.len() + self.lines.len() >= MAX_NUMBERS {
                return;
            }
            match parse(&std::mem::take(&mut number)) {
                Some(Number::Mobile(number)) if !self.mobiles.contains(&number) => self.mobiles.push(number),
                Some(Number::Line(line)) if !self.lines.contains(&line) => self.lines.push(line),
                _ => {}
            }
        }
    }
}

impl Line {
    /// Returns the number without its area code.
    #[must_use]
    pub fn local(&self) -> u64 {
        self.number % 10_u64.pow(self.local_digits)
    }

    /// Returns whether two numbers ring at the same switchboard, as far as both say.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        if self.number == other.number {
            return true;
        }
        // Nine digits and more hold an area code, or a whole foreign number.
        let lacks_area = self.number == self.local() || other.number == other.local();
        lacks_area && self.local() == other.local() && self.local() >= 10_000_000
    }
}

enum Number {
    Mobile(u64),
    Line(Line),
}

fn parse(text: &str) -> Option<Number> {
    let (main, extension) = split_extension(text);
    let mut digits: String = main.chars().filter(char::is_ascii_digit).collect();
    let is_foreign = main.trim_start().starts_with('+') && !digits.starts_with("86");
    for prefix in ["0086", "086", "86"] {
        if let Some(rest) = digits.strip_prefix(prefix)
            && rest.len() >= 10
            && !is_foreign
        {
            digits = rest.trim_start_matches('0').to_owned();
            if !is_mobile(&digits) {
                digits.insert(0, '0');
            }
            break;
        }
    }
    // A mobile that is dialled over a trunk line, 013800138000.
    let mobile = digits
        .strip_prefix('0')
        .filter(|rest| is_mobile(rest))
        .unwrap_or(&digits);
    if is_mobile(mobile) && !is_foreign {
        return mobile.parse().ok().filter(|_| !is_made_up(mobile)).map(Number::Mobile);
    }
    let area = match digits.as_bytes() {
        [b'0', b'1' | b'2', ..] => 3,
        [b'0', ..] => 4,
        _ => 0,
    };
    let mut local = digits.len().saturating_sub(area);
    let mut extension = extension;
    // Digits behind a whole number, 0371881068116368, are an extension that lost its sign.
    if area > 0 && local > 8 && extension.is_none() {
        extension = digits[area + 8..].parse().ok();
        digits.truncate(area + 8);
        local = 8;
    }
    if !(5..=15).contains(&digits.len()) || is_made_up(&digits) {
        return None;
    }
    Some(Number::Line(Line {
        number: digits.parse().ok()?,
        local_digits: u32::try_from(local).unwrap_or(u32::MAX).min(15),
        extension,
    }))
}

/// Parts a number from its extension: 转, ext, x, # or a last group behind a whole number.
fn split_extension(text: &str) -> (&str, Option<u32>) {
    for mark in ["分机", "转", "extension", "ext", "#", "x"] {
        if let Some((main, extension)) = text.split_once(mark) {
            let digits: String = extension.chars().filter(char::is_ascii_digit).take(8).collect();
            return (main, digits.parse().ok());
        }
    }
    if let Some((main, last)) = text.trim().rsplit_once('-') {
        let count = main.chars().filter(char::is_ascii_digit).count();
        let has_trunk = main.chars().find(char::is_ascii_digit) == Some('0') || main.starts_with("+86");
        let is_group = (1..=6).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_digit());
        if is_group && ((has_trunk && count >= 10) || (!has_trunk && main.matches('-').count() == 0 && count >= 7)) {
            return (main, last.parse().ok());
        }
    }
    (text, None)
}

fn is_mobile(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    bytes.len() == 11 && bytes[0] == b'1' && (b'3'..=b'9').contains(&bytes[1])
}

/// Returns whether a number is one that people type instead of theirs.
fn is_made_up(digits: &str) -> bool {
    let tail = &digits.as_bytes()[digits.len().saturating_sub(7)..];
    let is_one_digit = tail.len() >= 5 && tail.iter().all(|byte| *byte == tail[0]);
    is_one_digit || digits.ends_with("12345678") || digits.ends_with("123456789")
}

/// How two mobiles that are not the same resemble each other.
#[must_use]
pub fn differs_by_a_slip(left: u64, right: u64) -> bool {
    let (left, right) = (left.to_string(), right.to_string());
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let other: Vec<usize> = (0..left.len()).filter(|at| left[*at] != right[*at]).collect();
    match other[..] {
        [_] => true,
        // Two neighbours that changed places.
        [first, second] => second == first + 1 && left[first] == right[second] && left[second] == right[first],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cell: &str) -> Phones {
        let mut phones = Phones::default();
        phones.read(cell);
        phones
    }

    #[test]
    fn mobiles_are_read_however_they_are_typed() {
        for cell in [
            "13800138001",
            "138-0013-8001",
            "138 0013 8001",
            "+86-13800138001",
            "+86 138 0013 8001",
            "0086 13800138001",
            "86-13800138001",
            "8613800138001",
            "１３８００１３８００１",
            "013800138001",
            "(+86)138.0013.8001",
            "手机：13800138001",
        ] {
            assert_eq!(read(cell).mobiles, [13_800_138_001], "{cell}");
        }
    }

    #[test]
    fn landlines_are_read_with_area_and_extension() {
        let line = |number, local_digits, extension| Line {
            number,
            local_digits,
            extension,
        };
        for (cell, expected) in [
            ("0371-88106811", line(37_188_106_811, 8, None)),
            ("(0371)88106811", line(37_188_106_811, 8, None)),
            ("037188106811", line(37_188_106_811, 8, None)),
            ("+86 371 8810 6811", line(37_188_106_811, 8, None)),
            ("0086-371-88106811", line(37_188_106_811, 8, None)),
            ("0371-88106811-6368", line(37_188_106_811, 8, Some(6368))),
            ("037188106811-6368", line(37_188_106_811, 8, Some(6368))),
            ("+86 371 8810 6811-6368", line(37_188_106_811, 8, Some(6368))),
            ("（0371）88106811转6368", line(37_188_106_811, 8, Some(6368))),
            ("0371-88106811 ext. 6368", line(37_188_106_811, 8, Some(6368))),
            ("0371881068116368", line(37_188_106_811, 8, Some(6368))),
            ("010-62345670", line(1_062_345_670, 8, None)),
            ("0512-6234567", line(5_126_234_567, 7, None)),
            ("62345670", line(62_345_670, 8, None)),
            ("88106811-6368", line(88_106_811, 8, Some(6368))),
            ("400-820-8820", line(4_008_208_820, 10, None)),
            ("310/246-1501", line(3_102_461_501, 10, None)),
        ] {
            let read = read(cell);
            assert_eq!(read.lines, [expected], "{cell}");
        }
    }

    #[test]
    fn what_is_no_number_is_passed_over() {
        for cell in [
            "",
            "无",
            "-",
            "13888888888",
            "13812345678",
            "110",
            "12",
            &"9".repeat(5_000),
        ] {
            assert_eq!(read(cell), Phones::default(), "{cell}");
        }
    }

    #[test]
    fn several_numbers_of_a_cell_are_kept_apart() {
        let phones = read("13800138001/021-62953697、13900139002");
        assert_eq!(phones.mobiles, [13_800_138_001, 13_900_139_002]);
        assert_eq!(phones.lines.len(), 1);
    }

    #[test]
    fn lines_without_an_area_are_compared_by_what_they_have() {
        let whole = &read("0371-88106811").lines[0];
        assert!(whole.is_same(&read("88106811").lines[0]));
        assert!(!whole.is_same(&read("0531-88106811").lines[0]));
        assert!(!whole.is_same(&read("0371-88106812").lines[0]));
    }

    #[test]
    fn slips_are_one_digit_or_two_that_changed_places() {
        assert!(differs_by_a_slip(13_800_138_001, 13_800_138_002));
        assert!(differs_by_a_slip(13_800_138_001, 13_800_183_001));
        assert!(!differs_by_a_slip(13_800_138_001, 13_800_138_001));
        assert!(!differs_by_a_slip(13_800_138_001, 13_900_138_002));
    }
}
