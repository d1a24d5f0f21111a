//! Company names: brand, trade, place, branch and former names, however much of them is written.

mod compare;

use crate::spelling::spell;
use crate::tables::tables;
use crate::text::{fold, is_han, words};

/// A company's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Company {
    /// What the company is called, without anything that others share.
    pub brand: String,
    /// What it does.
    pub trade: String,
    /// Where it is registered, as far as its name says.
    pub place: String,
    /// Its branch; empty for the company itself.
    pub branch: String,
    /// What it was called before.
    pub former: Vec<Company>,
    /// The brand in letters.
    pub spelled: String,
    /// The words of a name in letters.
    pub words: Vec<String>,
}

/// How two company names relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompanyLikeness {
    /// One of them is missing.
    Missing,
    /// The same, or one says less of its place.
    Same,
    /// The brand is the same, and one leaves out what the company does.
    Short,
    /// They sound the same, or one is in letters.
    Sounds,
    /// One slip apart.
    Near,
    /// A former name of the other.
    Former,
    /// They share words.
    Alike,
    /// The same company elsewhere in the same house: another branch, or the head office.
    OtherBranch,
    /// The same brand registered elsewhere.
    OtherPlace,
    /// The same brand in another trade.
    OtherTrade,
    /// They are different.
    Other,
}

/// Words that end the name of a branch.
const BRANCHES: [&str; 14] = [
    "分公司",
    "子公司",
    "办事处",
    "营业部",
    "旗舰店",
    "经营部",
    "分部",
    "分店",
    "分厂",
    "分行",
    "支行",
    "分院",
    "分校",
    "门店",
];
const FORMER: [&str; 7] = ["原名称", "曾用名", "原名", "前身", "原称", "原", "formerly"];

impl Company {
    /// Reads a name; none where nothing is written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let folded = fold(text);
        let company = if folded.chars().any(is_han) {
            Self::from_characters(&folded, 0)
        } else {
            Self::from_letters(&folded)
        };
        (!company.brand.is_empty()).then_some(company)
    }

    fn from_letters(folded: &str) -> Self {
        let table = &tables().company_words;
        let all: Vec<String> = words(folded).into_iter().take(16).collect();
        let mut kept: Vec<String> = all
            .iter()
            .filter(|word| !table.contains_key(word.as_str()))
            .cloned()
            .collect();
        if kept.is_empty() {
            kept = all;
        }
        let brand = kept.concat();
        Self {
            spelled: brand.clone(),
            brand,
            words: kept,
            ..Self::default()
        }
    }

    fn from_characters(folded: &str, depth: usize) -> Self {
        let mut company = Self::default();
        let mut name = company.take_brackets(folded, depth);
        company.take_branch(&mut name);
        strip_legal_forms(&mut name);
        let whole = name.clone();
        company.take_place(&mut name);
        company.brand = name;
        company.take_trade();
        let says_nothing = company.brand.chars().count() < 2 || tables().industries.contains(company.brand.as_str());
        if says_nothing && whole != company.brand {
            // 上海贸易 and 北京银行: without its place the name says nothing.
            company.trade.clear();
            company.brand = whole;
            company.take_trade();
        }
        company.spelled = spell(&company.brand);
        company
    }

    /// Returns the name without its brackets; what stands in them is a place, a branch, a former name or nothing.
    fn take_brackets(&mut self, folded: &str, depth: usize) -> String {
        let mut name = String::with_capacity(folded.len());
        let mut inside = String::new();
        let mut open = 0_usize;
        for char in folded.chars() {
            match char {
                '(' | '[' | '【' | '〔' => open += 1,
                ')' | ']' | '】' | '〕' => {
                    open = open.saturating_sub(1);
                    if open == 0 {
                        self.read_bracket(&std::mem::take(&mut inside), depth);
                    }
                }
                _ if open > 0 => inside.push(char),
                _ if char.is_alphanumeric() => name.push(char),
                _ => {}
            }
        }
        self.read_bracket(&inside, depth);
        name
    }

    fn read_bracket(&mut self, content: &str, depth: usize) {
        let content = content.trim();
        if let Some(former) = FORMER.iter().find_map(|word| content.strip_prefix(word)) {
            let former = former.trim_start_matches([':', '为', ' ']);
            // A bracket in a bracket is where it ends.
            if depth == 0 && former.chars().filter(|char| is_han(*char)).count() >= 2 && self.former.len() < 4 {
                self.former.push(Self::from_characters(former, depth + 1));
            }
        } else if let Some(head) = BRANCHES.iter().find_map(|word| content.strip_suffix(word)) {
            self.branch = branch_name(head);
        } else if let Some(place) = place_of(content) {
            place.clone_into(&mut self.place);
        }
    }

    fn take_branch(&mut self, name: &mut String) {
        let Some(head) = BRANCHES
            .iter()
            .find_map(|word| name.strip_suffix(word))
            .map(str::to_owned)
        else {
            return;
        };
        // 经营部 and 门店 may be the whole name of a shop.
        let forms = tables().legal_forms.iter().filter(|form| form.chars().count() > 1);
        let after_form = forms
            .filter_map(|form| head.rfind(form).map(|at| at + form.len()))
            .max();
        let at = after_form.or_else(|| {
            let starts: Vec<usize> = head.char_indices().map(|(at, _)| at).skip(2).collect();
            starts.into_iter().find(|at| place_of(&head[*at..]).is_some())
        });
        match at {
            Some(at) => {
                self.branch = branch_name(&head[at..]);
                name.truncate(at);
            }
            None if name.ends_with("公司") => {
                "分".clone_into(&mut self.branch);
                head.clone_into(name);
            }
            None => {}
        }
    }

    fn take_place(&mut self, name: &mut String) {
        for _ in 0..3 {
            let Some((place, length)) = leading_place(name, !self.place.is_empty()) else {
                return;
            };
            if name.len() <= length {
                return;
            }
            place.clone_into(&mut self.place);
            name.drain(..length);
        }
    }

    /// Takes what the company does off the end of its brand, as long as two characters stay.
    fn take_trade(&mut self) {
        let industries = &tables().industries;
        loop {
            let starts: Vec<usize> = self.brand.char_indices().map(|(at, _)| at).skip(2).collect();
            let Some(at) = starts.into_iter().find(|at| industries.contains(&self.brand[*at..])) else {
                return;
            };
            self.trade.insert_str(0, &self.brand[at..]);
            self.brand.truncate(at);
        }
    }

    /// Returns brand and trade as they stand behind each other.
    fn core(&self) -> String {
        format!("{}{}", self.brand, self.trade)
    }
}

fn branch_name(head: &str) -> String {
    let name: String = head.chars().filter(|char| char.is_alphanumeric()).collect();
    if let Some(place) = place_of(&name) {
        return place.to_owned();
    }
    let name = name.trim_end_matches(['市', '区', '县', '省']);
    if name.is_empty() {
        "分".to_owned()
    } else {
        name.to_owned()
    }
}

/// Returns the place that a text names, and nothing but a place.
pub(crate) fn place_of(text: &str) -> Option<&str> {
    let short = [
        "特别行政区",
        "维吾尔自治区",
        "壮族自治区",
        "回族自治区",
        "自治区",
        "省",
        "市",
        "县",
        "区",
    ]
    .iter()
    .find_map(|end| text.strip_suffix(end).filter(|short| short.chars().count() >= 2))
    .unwrap_or(text);
    tables().province_of.contains_key(short).then_some(short)
}

/// Returns the place that a name begins with, and how many bytes it takes.
fn leading_place(name: &str, has_place: bool) -> Option<(String, usize)> {
    let table = &tables().province_of;
    let ends: Vec<usize> = name
        .char_indices()
        .map(|(at, char)| at + char.len_utf8())
        .take(6)
        .collect();
    for end in ends.iter().rev() {
        let short = &name[..*end];
        if ends.len() > 1 && table.contains_key(short) {
            let rest = &name[*end..];
            let sign = ["维吾尔自治区", "壮族自治区", "回族自治区", "自治区", "省", "市", "县"]
                .iter()
                .find(|sign| rest.starts_with(**sign));
            return Some((short.to_owned(), end + sign.map_or(0, |sign| sign.len())));
        }
    }
    // A place of no table, which its sign tells: 诸暨市, 长丰县; a district only behind a city.
    for count in 2..=3 {
        let end = *ends.get(count)?;
        let sign = name[..end].chars().last()?;
        if matches!(sign, '市' | '县') || (has_place && sign == '区') {
            return Some((name[..end - sign.len_utf8()].to_owned(), end));
        }
    }
    None
}

fn strip_legal_forms(name: &mut String) {
    while let Some(form) = tables().legal_forms.iter().find(|form| name.ends_with(**form)) {
        if name.len() == form.len() {
            return;
        }
        name.truncate(name.len() - form.len());
    }
}

#[cfg(test)]
mod tests;
