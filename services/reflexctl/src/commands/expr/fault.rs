//! A wrong formula, with the place marked below it.

use reflex_expr::{Error, Position};

use super::spoken;
use crate::cli::Language;
use crate::output::{one_line, width};

/// Characters shown on either side of the place.
const AROUND: usize = 40;

/// What is wrong with a formula, in three lines: the sentence, the formula's line, and a mark below the place.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}\n  {line}\n  {mark}")]
pub(super) struct Fault {
    sentence: String,
    line: String,
    mark: String,
}

impl Fault {
    pub(super) fn new(formula: &str, error: &Error, lang: Language) -> Self {
        let (line, mark) = place(formula, error);
        let Position { line: row, column } = error.span.position(formula);
        let text = error.text(spoken(lang));
        let sentence = match lang {
            Language::Zh => format!("第 {row} 行第 {column} 列：{text}"),
            Language::En => format!("line {row}, column {column}: {text}"),
        };
        Self { sentence, line, mark }
    }
}

/// Cuts the line out of the formula on which the fault starts, and draws the mark for below it.
fn place(formula: &str, error: &Error) -> (String, String) {
    let at = |offset: u32| formula.floor_char_boundary(offset as usize);
    let (start, end) = (at(error.span.start), at(error.span.end));
    let before = formula[..start].rsplit('\n').next().unwrap_or_default();
    let rest = formula[start..].split('\n').next().unwrap_or_default();
    let (marked, after) = rest.split_at((end - start).min(rest.len()));
    let shown_before: String = {
        let skip = before.chars().count().saturating_sub(AROUND);
        before.chars().skip(skip).collect()
    };
    let shown = |text: &str| one_line(&text.chars().take(AROUND).collect::<String>());
    let (before, marked, after) = (one_line(&shown_before), shown(marked), shown(after));
    let mark = " ".repeat(width(&before)) + &"^".repeat(width(&marked).max(1));
    ((before + &marked + &after).trim_end().to_owned(), mark)
}

#[cfg(test)]
mod tests {
    use reflex_expr::{Program, Schema};

    use super::*;

    fn fault(formula: &str, lang: Language) -> String {
        let schema: Schema =
            serde_json::from_str(r#"{"fields": [{"name": "客户.设备型号", "type": "text"}]}"#).expect("a schema");
        let error = Program::compile(formula, &schema).expect_err("a wrong formula");
        Fault::new(formula, &error, lang).to_string()
    }

    #[test]
    fn the_mark_is_below_the_place_in_a_terminal() {
        assert_eq!(
            fault("IF(客户.设备型好 = '锻造', 1, 0)", Language::Zh),
            "第 1 行第 4 列：没有字段“客户.设备型好”，是否应为 客户.设备型号 ？\n  \
             IF(客户.设备型好 = '锻造', 1, 0)\n     ^^^^^^^^^^^^^"
        );
        assert_eq!(
            fault("IF(TRUE,\n  客户.设备型 = '锻造', 0)", Language::En)
                .lines()
                .next(),
            Some("line 2, column 3: there is no field 客户.设备型, did you mean 客户.设备型号 ?")
        );
    }

    #[test]
    fn the_end_long_lines_and_control_characters_are_shown() {
        let text = fault("1 +", Language::En);
        assert!(text.ends_with("\n  1 +\n     ^"), "{text}");
        let text = fault("", Language::Zh);
        assert!(text.ends_with("：公式是空的\n  \n  ^"), "{text}");
        let long = format!("{}\u{1b} + '{}'", "1+".repeat(600), "锻".repeat(600));
        let text = fault(&long, Language::En);
        assert!(text.lines().all(|line| line.chars().count() < 200), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
