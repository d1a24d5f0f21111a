//! How a post came: what tells people from programs. It goes with the lead as attributes, by the names that leads knows.

use std::collections::HashMap;

use http::{HeaderMap, header::USER_AGENT as USER_AGENT_HEADER};
use reflex_proto::leads::v1::Form;

/// Attribute of a field that people do not see.
const HONEYPOT: &str = "honeypot";
/// Field of the script: milliseconds from showing the form to sending it.
const ELAPSED_MS: &str = "elapsed_ms";
/// Attribute that says the same in seconds.
const ELAPSED: &str = "elapsed_seconds";
/// Attribute that says what the program called itself; a page that posts from a server of its own passes on the browser's.
const USER_AGENT: &str = "user_agent";
/// Further fields that a lead may have; what was typed comes first.
const MOST: usize = 50;
/// Longest signal that is kept, in characters.
const LONGEST: usize = 300;
/// A page that was open for longer than a month says nothing by that.
const LONGEST_MS: u64 = 31 * 24 * 60 * 60 * 1_000;

/// Completes the further fields of a post by what is known of how it came; what cannot be read is left out. A form that asks for
/// anything of that name in its schema means something else.
pub(super) fn add(fields: &mut HashMap<String, String>, form: &Form, headers: &HeaderMap) {
    let names = [HONEYPOT, ELAPSED_MS, ELAPSED, USER_AGENT];
    let asked = form.schema.iter().flat_map(|schema| &schema.fields);
    if asked.into_iter().any(|field| names.contains(&field.id.as_str())) {
        return;
    }
    if let Some(text) = fields.get_mut(HONEYPOT) {
        *text = cut(text);
    }
    let elapsed = fields.remove(ELAPSED_MS).and_then(|text| seconds(&text));
    let agent = headers.get(USER_AGENT_HEADER).and_then(|agent| agent.to_str().ok());
    let agent = agent.map(str::trim).filter(|agent| !agent.is_empty()).map(cut);
    for (name, signal) in [(ELAPSED, elapsed), (USER_AGENT, agent)] {
        if let Some(signal) = signal.filter(|_| fields.len() < MOST) {
            fields.entry(name.to_owned()).or_insert(signal);
        }
    }
}

/// Returns milliseconds as seconds.
fn seconds(text: &str) -> Option<String> {
    let elapsed: u64 = text.parse().ok()?;
    (elapsed <= LONGEST_MS).then(|| format!("{}.{:03}", elapsed / 1_000, elapsed % 1_000))
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use reflex_proto::leads::v1::{FormField, FormSchema};

    use super::*;

    fn completed(fields: &[(&str, &str)], agent: &str) -> Vec<(String, String)> {
        let mut fields: HashMap<String, String> = fields
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT_HEADER, HeaderValue::from_bytes(agent.as_bytes()).unwrap());
        add(&mut fields, &Form::default(), &headers);
        let mut fields: Vec<_> = fields.into_iter().collect();
        fields.sort_unstable();
        fields
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        owned.collect()
    }

    #[test]
    fn a_post_says_how_it_came() {
        for (fields, agent, expected) in [
            (&[][..], "", &[][..]),
            (
                &[("elapsed_ms", "1234")],
                "Firefox",
                &[("elapsed_seconds", "1.234"), ("user_agent", "Firefox")],
            ),
            (&[("elapsed_ms", "7")], " ", &[("elapsed_seconds", "0.007")]),
            (&[("elapsed_ms", "-1")], "", &[]),
            (&[("elapsed_ms", "99999999999999999999")], "", &[]),
            (&[("elapsed_ms", "2678400001")], "", &[]),
            // Whoever posts for somebody says more than the header.
            (
                &[("elapsed_ms", "1"), ("elapsed_seconds", "9"), ("user_agent", "Firefox")],
                "python-requests",
                &[("elapsed_seconds", "9"), ("user_agent", "Firefox")],
            ),
        ] {
            assert_eq!(completed(fields, agent), pairs(expected), "{fields:?} {agent:?}");
        }
        assert_eq!(completed(&[], "\u{fffd}"), pairs(&[]), "no text is no name");
    }

    #[test]
    fn a_form_that_asks_for_such_a_field_means_something_else() {
        let field = FormField {
            id: ELAPSED_MS.to_owned(),
            ..FormField::default()
        };
        let form = Form {
            schema: Some(FormSchema { fields: vec![field] }),
            ..Form::default()
        };
        let asked = HashMap::from([(ELAPSED_MS.to_owned(), "12".to_owned())]);
        let mut fields = asked.clone();
        add(&mut fields, &form, &HeaderMap::new());
        assert_eq!(fields, asked);
    }

    #[test]
    fn signals_have_their_limits_and_never_push_anything_out() {
        let long = "x".repeat(5_000);
        let cut = "x".repeat(300);
        assert_eq!(
            completed(&[("honeypot", &long)], &long),
            pairs(&[("honeypot", &cut), ("user_agent", &cut)])
        );
        let names: Vec<String> = (0..49).map(|number| format!("f{number:02}")).collect();
        let mut full: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        full.push(("elapsed_ms", "9"));
        assert_eq!(completed(&full, "Firefox").len(), 50, "one had room");
        full.push(("f99", "x"));
        assert!(
            completed(&full, "Firefox")
                .iter()
                .all(|(name, _)| name.starts_with('f'))
        );
    }
}
