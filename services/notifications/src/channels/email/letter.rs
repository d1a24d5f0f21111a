//! Writes a message as mail.

use jiff::Timestamp;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};
use reflex_templates::{Format, text};

use crate::channels::{
    Rendered,
    robot::{links, shorten},
};
use crate::domain::{channel::Kind, message::MESSAGE_PREFIX};

/// Largest mail.
const MAX_BYTES: usize = Kind::Email.capability().max_size;
/// Longest subject kept.
const MAX_SUBJECT_CHARS: usize = 120;

/// Returns the mail as it goes over the wire; none when it would be too long or has no form.
pub(super) fn write(message: &Rendered, from: &Mailbox, to: &Address, now: Timestamp) -> Option<Vec<u8>> {
    // One line, whatever stands in it: no header begins here.
    let subject = shorten(&text::one_line(&message.title), MAX_SUBJECT_CHARS);
    let text = format!("{}{}", message.text, links(&message.actions));
    let id = format!("<{MESSAGE_PREFIX}{}@{}>", message.about.message, from.email.domain());
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let letter = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(subject)
        // The same in every attempt, so that a repetition is known and a bounce finds its message.
        .message_id(Some(id))
        .date(now.into())
        // Asks machines not to answer.
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(
            Format::Plain.body(&text),
            Format::Html.body(&text),
        ))
        .ok()?;
    let letter = letter.formatted();
    (letter.len() <= MAX_BYTES).then_some(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::About;

    fn written(title: &str, body: &str) -> String {
        let message = Rendered {
            title: title.into(),
            text: body.into(),
            about: About {
                message: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
                ..About::default()
            },
            ..Rendered::default()
        };
        let from = "Reflex 通知 <reflex@example.com>".parse().unwrap();
        let to = "zhang.wei@example.com".parse().unwrap();
        let now = "2026-02-13T08:00:00Z".parse().unwrap();
        String::from_utf8(write(&message, &from, &to, now).unwrap()).unwrap()
    }

    #[test]
    fn the_headers_name_message_and_date_and_ask_machines_for_silence() {
        let letter = written("新线索 L-1", "正文");
        for line in [
            "Message-ID: <messages/01890a5d-ac96-774b-bcce-b302099a8057@example.com>\r\n",
            "To: zhang.wei@example.com\r\n",
            "Date: Fri, 13 Feb 2026 08:00:00 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Subject: =?utf-8?b?",
        ] {
            assert!(letter.contains(line), "{line}\n{letter}");
        }
        assert!(letter.is_ascii(), "any server takes it");
    }

    #[test]
    fn a_title_begins_no_header() {
        let letter = written("x\r\nBcc: canary@example.com\r\n\r\nwords", "正文");
        let head = letter.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(head.contains("Subject: x Bcc: canary@example.com words\r\n"), "{head}");
    }

    #[test]
    fn what_is_far_too_long_is_no_mail() {
        let message = Rendered {
            text: "长".repeat(200_000),
            ..Rendered::default()
        };
        let from: Mailbox = "reflex@example.com".parse().unwrap();
        assert_eq!(write(&message, &from, &from.email, Timestamp::UNIX_EPOCH), None);
    }
}
