//! Single cells of a decision table: lists inside of one.

/// What parts the skills of a cell; the first is written, all are read.
const SEPARATORS: [char; 6] = [';', ',', '|', '、', '，', '；'];
/// Writes skills into one cell; one with a separator or quotation mark of its own is quoted.
pub(super) fn join(skills: &[String]) -> String {
    let quoted = |skill: &String| {
        if skill.contains('"') || skill.contains(SEPARATORS) {
            format!("\"{}\"", skill.replace('"', "\"\""))
        } else {
            skill.clone()
        }
    };
    let quoted: Vec<String> = skills.iter().map(quoted).collect();
    quoted.join(";")
}

/// Reads the skills of a cell; `None` if a quotation mark is not closed or stands elsewhere than around a skill.
pub(super) fn split(cell: &str) -> Option<Vec<String>> {
    let mut skills = Vec::new();
    let mut rest = cell;
    loop {
        rest = rest.trim_start();
        if rest.starts_with('"') {
            let (skill, behind) = quoted(rest)?;
            skills.push(skill);
            rest = behind.trim_start();
            if !rest.is_empty() && !rest.starts_with(SEPARATORS) {
                return None;
            }
        }
        let end = rest.find(SEPARATORS).unwrap_or(rest.len());
        let (plain, behind) = rest.split_at(end);
        let plain = plain.trim();
        if plain.contains('"') {
            return None;
        }
        if !plain.is_empty() {
            skills.push(plain.to_owned());
        }
        let mut behind = behind.chars();
        if behind.next().is_none() {
            return Some(skills);
        }
        rest = behind.as_str();
    }
}

/// Reads a text in quotation marks, doubled ones inside being one, and returns what is behind it, too.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut inside = String::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let end = rest.find('"')?;
        inside.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(behind) => {
                inside.push('"');
                rest = behind;
            }
            None => return Some((inside, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skills_share_a_cell() {
        for (skills, cell) in [
            (&[][..], ""),
            (&["骨科"], "骨科"),
            (&["医保", "德系 车企"], "医保;德系 车企"),
            (&["a;b", "c"], "\"a;b\";c"),
            (&["说\"好\"", "x、y"], "\"说\"\"好\"\"\";\"x、y\""),
        ] {
            let skills: Vec<String> = skills.iter().map(ToString::to_string).collect();
            assert_eq!(join(&skills), cell);
            assert_eq!(split(cell), Some(skills), "{cell}");
        }
        let typed = |cell| split(cell).map(|skills| skills.join("+"));
        assert_eq!(typed(" 医保， 骨科、;急诊 | "), Some("医保+骨科+急诊".to_owned()));
        assert_eq!(typed("\"a\" ; b"), Some("a+b".to_owned()));
        for broken in ["\"a", "a\"b", "\"a\"b", "\"", "\"\"\""] {
            assert_eq!(split(broken), None, "{broken}");
        }
    }
}
