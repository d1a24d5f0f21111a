//! Words: what people type to try a form, what they type at random, and what is only called like that.

use reflex_matching::text::{fold, is_han};

use crate::{Lead, Reason};
use words::{ADVERTS, COMPANY_ENDINGS, FORMS, NOTHING, PLACEHOLDERS, PLACES, ROWS, SAID_OF_TESTS, TESTS, TRADES};

mod words;

/// Looks at company, contact and remark.
pub(crate) fn look(lead: &Lead<'_>) -> Vec<Reason> {
    let mut found = Vec::new();
    found.extend(contact(lead.contact));
    found.extend(company(lead.company));
    found.extend(remark(lead.remark));
    found
}

fn contact(text: &str) -> Option<Reason> {
    let text = plain(text);
    if text.is_empty() || is_nothing(&text) {
        return None;
    }
    if is_test(&text) {
        return Some(Reason::ContactTest);
    }
    if PLACEHOLDERS.contains(&text.as_str()) {
        return Some(Reason::ContactPlaceholder);
    }
    let letters = text.chars().filter(|char| char.is_alphabetic()).count();
    if letters == 0 || is_typed_at_random(&text) {
        return Some(Reason::ContactNonsense);
    }
    let han = text.chars().filter(|char| is_han(*char)).count();
    let is_name = (2..=6).contains(&han) || (han == 0 && letters >= 3);
    is_name.then_some(Reason::ContactSound)
}

fn company(text: &str) -> Option<Reason> {
    let text = plain(text);
    if text.is_empty() || is_nothing(&text) {
        return None;
    }
    if is_test(&text) || is_test_company(&text) {
        return Some(Reason::CompanyTest);
    }
    let letters = text.chars().filter(|char| char.is_alphabetic()).count();
    let own = own_name(&text);
    let is_acronym = own.chars().count() <= 4 && own.chars().all(|char| char.is_ascii_alphabetic());
    // 3M, 58 and 360 are companies; a single character is none.
    if text.chars().count() < 2 || is_repeated(&own) || (!is_acronym && letters > 0 && is_typed_at_random(&own)) {
        return Some(Reason::CompanyNonsense);
    }
    if letters == 0 {
        return (text.len() > 3 || is_counted(&text)).then_some(Reason::CompanyNonsense);
    }
    let whole = COMPANY_ENDINGS
        .iter()
        .any(|ending| text.trim_end_matches('.').ends_with(ending));
    whole.then_some(Reason::CompanySound)
}

fn remark(text: &str) -> Option<Reason> {
    let text = plain(text);
    if text.is_empty() || is_nothing(&text) {
        return None;
    }
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    if is_test(&text) || (text.chars().count() <= 60 && says(&SAID_OF_TESTS)) {
        return Some(Reason::RemarkTest);
    }
    if says(&ADVERTS) {
        return Some(Reason::Advertising);
    }
    let letters = text.chars().filter(|char| char.is_alphabetic()).count();
    if letters == 0 || is_typed_at_random(&text) {
        // Somebody types how many they want.
        let is_count = text.len() <= 3 && !is_repeated(&text);
        return (!is_count).then_some(Reason::RemarkNonsense);
    }
    (text.chars().count() >= 8).then_some(Reason::RemarkSound)
}

/// Folds a text and takes the signs off its ends.
fn plain(text: &str) -> String {
    let folded = fold(text).to_lowercase();
    let edge = |char: char| char.is_whitespace() || "!！?？。.,，、~…\"'“”()（）[]【】*_".contains(char);
    folded.trim_matches(edge).to_owned()
}

fn is_nothing(text: &str) -> bool {
    NOTHING.contains(&text)
}

/// Tells whether a whole text is a test; numbers and letters behind the word do not matter.
fn is_test(text: &str) -> bool {
    let bare = text.trim_end_matches(|char: char| char.is_ascii_digit() || " -_#号".contains(char));
    if TESTS.contains(&text) || TESTS.contains(&bare) {
        return true;
    }
    // 测试测试, test test 1, 测试a.
    let without = bare.replace("测试", "").replace("test", "");
    let left = without.trim_matches(|char: char| !char.is_alphabetic());
    bare != without && left.chars().count() <= 1 && !left.chars().any(is_han)
}

/// Tells whether a company is called a test, and not after a trade that tests.
fn is_test_company(text: &str) -> bool {
    let own = own_name(text);
    if is_test(&own) || ["某某", "xx", "xxx", "某", "测试a", "abc", "aaa"].contains(&own.as_str()) {
        return true;
    }
    let Some(rest) = own.strip_prefix("测试") else {
        return false;
    };
    let rest = rest.trim_matches(|char: char| !char.is_alphabetic());
    rest.chars().count() <= 2 && !TRADES.iter().any(|trade| rest.contains(trade))
}

/// Returns what a company is called beside its place and legal form.
fn own_name(text: &str) -> String {
    let mut own = text.trim();
    while let Some(rest) = FORMS.iter().find_map(|form| own.strip_suffix(form)) {
        own = rest.trim();
    }
    while let Some(rest) = PLACES.iter().find_map(|place| own.strip_prefix(place)) {
        own = rest.trim();
    }
    // A company that is called after its place alone, 上海公司, has no other name.
    if own.is_empty() {
        text.to_owned()
    } else {
        own.to_owned()
    }
}

/// Tells whether letters were typed at random: runs on the keyboard, one sign or group over and over, or consonants that nobody
/// could say. What reads as pinyin, and what is short, was not.
pub(crate) fn is_typed_at_random(text: &str) -> bool {
    if is_repeated(text) {
        return true;
    }
    let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
    let is_latin = letters.len() * 10 >= text.chars().filter(|char| !char.is_whitespace()).count() * 7;
    if letters.len() < 4 || !is_latin {
        return false;
    }
    let run = longest_run(&letters);
    if run >= 4 && run * 2 > letters.len() {
        return true;
    }
    let vowels = letters.chars().filter(|char| "aeiouy".contains(*char)).count();
    let is_word = text.contains(' ') || text.contains('.') || text.contains('-') || text.contains('_');
    let spoken = consonants_in_a_row(&letters) < 6 && vowels * 6 >= letters.len();
    letters.len() >= 6 && !spoken && !is_word && reflex_matching::spelling::split(&letters).is_none()
}

/// Tells whether a text is counted up or down: 123456, abcdef, 654321.
pub(crate) fn is_counted(text: &str) -> bool {
    let bytes = text.as_bytes();
    let steps = |step: i16| {
        bytes
            .windows(2)
            .all(|pair| i16::from(pair[1]) - i16::from(pair[0]) == step)
    };
    bytes.len() >= 3 && (steps(1) || steps(-1) || steps(0) || longest_run(text) == bytes.len())
}

/// Tells whether a text is one sign or group over and over: 1111, 哈哈哈, asdasd.
fn is_repeated(text: &str) -> bool {
    let chars: Vec<char> = text.chars().filter(|char| !char.is_whitespace()).collect();
    let all_same = chars.len() >= 3 && chars.iter().all(|char| *char == chars[0]);
    let repeats = |length: usize| {
        chars.len() >= 2 * length
            && chars.len().is_multiple_of(length)
            && chars.chunks(length).all(|chunk| chunk == &chars[..length])
    };
    let by_group = chars.len() >= 6 && (2..=4).any(repeats) && chars.iter().all(char::is_ascii_alphanumeric);
    let doubled_han = chars.len() == 2 && chars[0] == chars[1] && "啊哈嗯哦呵额嘿呃".contains(chars[0]);
    all_same || by_group || doubled_han
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    for row in ROWS {
        let back: String = row.chars().rev().collect();
        for row in [row, back.as_str()] {
            let bytes = text.as_bytes();
            let mut length = 1;
            for pair in bytes.windows(2) {
                let next = row
                    .bytes()
                    .position(|key| key == pair[0])
                    .and_then(|at| row.as_bytes().get(at + 1));
                length = if next == Some(&pair[1]) { length + 1 } else { 1 };
                longest = longest.max(length);
            }
        }
    }
    longest
}

fn consonants_in_a_row(letters: &str) -> usize {
    letters
        .split(|char| "aeiouy".contains(char))
        .map(str::len)
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_told_from_trades_that_test() {
        for (text, expected) in [
            ("测试", Some(Reason::CompanyTest)),
            ("测试公司", Some(Reason::CompanyTest)),
            ("测试123", Some(Reason::CompanyTest)),
            ("北京测试科技有限公司", Some(Reason::CompanyTest)),
            ("TEST", Some(Reason::CompanyTest)),
            ("某某公司", Some(Reason::CompanyTest)),
            ("华测检测认证集团股份有限公司", Some(Reason::CompanySound)),
            ("苏州测试仪器有限公司", Some(Reason::CompanySound)),
            ("深圳市华测测试技术有限公司", Some(Reason::CompanySound)),
            ("济南测试设备厂", Some(Reason::CompanySound)),
            ("Testo Instruments Ltd", Some(Reason::CompanySound)),
            ("Test Rite Int'l Co., Ltd.", Some(Reason::CompanySound)),
            ("asdfasdf", Some(Reason::CompanyNonsense)),
            ("啊啊啊", Some(Reason::CompanyNonsense)),
            ("1111", Some(Reason::CompanyNonsense)),
            ("3M", None),
            ("ABB", None),
            ("TDK", None),
            ("SKF", None),
            ("58同城", None),
            ("个人", None),
            ("", None),
        ] {
            assert_eq!(company(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_told_from_what_is_none() {
        for (text, expected) in [
            ("王磊", Some(Reason::ContactSound)),
            ("欧阳娜娜", Some(Reason::ContactSound)),
            ("张先生", Some(Reason::ContactSound)),
            ("王", None),
            ("Jürgen Schmidt", Some(Reason::ContactSound)),
            ("Nguyen Thi Hoa", Some(Reason::ContactSound)),
            ("Krzysztof", Some(Reason::ContactSound)),
            ("zhangwei", Some(Reason::ContactSound)),
            ("张三", Some(Reason::ContactPlaceholder)),
            ("测试", Some(Reason::ContactTest)),
            ("test1", Some(Reason::ContactTest)),
            ("Tester", Some(Reason::ContactTest)),
            ("111", Some(Reason::ContactNonsense)),
            ("asdf", Some(Reason::ContactNonsense)),
            ("qweqwe", Some(Reason::ContactNonsense)),
            ("sdfghjk", Some(Reason::ContactNonsense)),
            ("哈哈哈", Some(Reason::ContactNonsense)),
            ("？？？", None),
        ] {
            assert_eq!(contact(text), expected, "{text}");
        }
    }

    #[test]
    fn remarks_may_speak_of_tests_without_being_one() {
        for (text, expected) in [
            ("需要一台拉力测试仪，请报价", Some(Reason::RemarkSound)),
            ("想了解电池系统测试方案", Some(Reason::RemarkSound)),
            ("We need a test bench for gearboxes", Some(Reason::RemarkSound)),
            ("测试", Some(Reason::RemarkTest)),
            ("测试测试", Some(Reason::RemarkTest)),
            ("测试数据，请忽略", Some(Reason::RemarkTest)),
            ("test please ignore", Some(Reason::RemarkTest)),
            ("asdfgh", Some(Reason::RemarkNonsense)),
            ("1111111", Some(Reason::RemarkNonsense)),
            ("10", None),
            ("代开发票，税点低", Some(Reason::Advertising)),
            ("", None),
        ] {
            assert_eq!(remark(text), expected, "{text}");
        }
    }
}
