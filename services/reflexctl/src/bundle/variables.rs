//! `${NAME}` in a bundle stands for a value given at the call, so that one file serves several installations.

use std::collections::BTreeMap;

/// Values of `${NAME}`.
pub type Variables = BTreeMap<String, String>;

/// Replaces every `${NAME}` outside comment lines; line numbers stay as they are.
///
/// # Errors
///
/// Line (from 1) and name of the first one that has no value.
pub(crate) fn substitute(text: &str, variables: &Variables) -> Result<String, (usize, String)> {
    let mut filled = String::with_capacity(text.len());
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let mut rest = line;
        while let Some(start) = rest.find("${").filter(|_| !line.trim_start().starts_with('#')) {
            let (before, behind) = rest.split_at(start);
            let Some((name, after)) = behind["${".len()..].split_once('}') else {
                break;
            };
            let value = variables.get(name).ok_or_else(|| (at + 1, name.to_owned()))?;
            filled.push_str(before);
            filled.push_str(value);
            rest = after;
        }
        filled.push_str(rest);
    }
    Ok(filled)
}

/// Reads `NAME=VALUE`.
///
/// # Errors
///
/// What is wrong with the text: a name is letters, digits and underscores, and a value stays on one line.
pub fn parse_variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
    if !is_name(name) {
        return Err(format!("{name:?} is no name: letters, digits and underscores"));
    }
    if value.contains(['\n', '\r']) {
        return Err(format!("the value of {name} has more than one line"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in() {
        let variables = Variables::from([
            ("URL".to_owned(), "http://x".to_owned()),
            ("N".to_owned(), "7".to_owned()),
        ]);
        let cases = [
            (
                "a: ${URL}/b?c=${N}\nd: $N ${",
                Ok("a: http://x/b?c=7\nd: $N ${".to_owned()),
            ),
            ("{{number}} is not ours", Ok("{{number}} is not ours".to_owned())),
            ("  # ${OTHER}\n", Ok("  # ${OTHER}\n".to_owned())),
            ("a: 1\nb: ${OTHER}", Err((2, "OTHER".to_owned()))),
        ];
        for (text, expected) in cases {
            assert_eq!(substitute(text, &variables), expected, "{text:?}");
        }
    }

    #[test]
    fn assignments_are_read() {
        assert_eq!(parse_variable("A_1=b=c"), Ok(("A_1".to_owned(), "b=c".to_owned())));
        for bad in ["A", "=b", "a b=c", "A=b\nc"] {
            assert!(parse_variable(bad).is_err(), "{bad:?}");
        }
    }
}
