//! Reads a bounce: the report (RFC 3464) a mail server sends back when it could not deliver a message after all.

use uuid::Uuid;

use super::message::MESSAGE_PREFIX;

/// Longest report that is read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// Most parts of a report that are looked at.
const MAX_PARTS: usize = 20;
/// Longest part of the server's own words that is kept.
const MAX_DIAGNOSTIC_CHARS: usize = 200;

/// What became of a message that a server had taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// Our message.
    pub message: Uuid,
    /// The address it did not reach.
    pub address: String,
    /// Whether the server has given up; else it goes on trying.
    pub is_final: bool,
    /// Its status, for example "5.1.1".
    pub status: String,
    /// Its words; they often repeat the address.
    pub diagnostic: String,
}

impl Bounce {
    /// Returns whether nothing reaches the address any more: no such mailbox, domain or host, or one that is closed. A full
    /// mailbox or a message somebody took offence at says nothing about the next one.
    #[must_use]
    pub fn is_address_dead(&self) -> bool {
        self.is_final && is_address_dead(&self.status)
    }
}

/// Returns whether an enhanced status (RFC 3463) says that an address is good for nothing.
#[must_use]
pub fn is_address_dead(status: &str) -> bool {
    status.starts_with("5.1.") || matches!(status, "5.2.1" | "5.4.4")
}

/// Reads a report about one of our messages; none when it is something else, such as an answer of a person.
#[must_use]
pub fn read(raw: &[u8]) -> Option<Bounce> {
    if raw.len() > MAX_BYTES {
        return None;
    }
    let text = String::from_utf8_lossy(raw).replace("\r\n", "\n");
    let (head, body) = split_head(&text);
    let kind = field(head, "content-type")?;
    let is_report = kind.to_ascii_lowercase().starts_with("multipart/report");
    if !is_report || !kind.to_ascii_lowercase().contains("delivery-status") {
        return None;
    }
    let boundary = parameter(&kind, "boundary")?;
    let parts: Vec<(String, &str)> = parts(body, &boundary)
        .map(|part| {
            let (head, body) = split_head(part);
            let kind = field(head, "content-type").unwrap_or_default().to_ascii_lowercase();
            (kind, body)
        })
        .collect();
    let find = |names: &[&str]| {
        let is_one = |(kind, _): &&(String, &str)| names.iter().any(|name| kind.starts_with(name));
        parts.iter().find(is_one).map(|(_, body)| *body)
    };
    let status = find(&["message/delivery-status", "message/global-delivery-status"])?;
    let original = find(&[
        "message/rfc822",
        "text/rfc822-headers",
        "message/global-headers",
        "message/global",
    ])?;
    let message = message_id(&field(split_head(original).0, "message-id")?)?;
    status
        .split("\n\n")
        .find_map(|block| recipient(block.trim_start_matches('\n'), message))
}

/// Reads what is said about a recipient; none where the block is about the report itself, or all went well.
fn recipient(block: &str, message: Uuid) -> Option<Bounce> {
    let final_recipient = field(block, "final-recipient").or_else(|| field(block, "original-recipient"))?;
    let action = field(block, "action")?.to_ascii_lowercase();
    let is_final = action == "failed";
    if !is_final && action != "delayed" {
        return None;
    }
    let status = field(block, "status")?;
    let status: String = status
        .chars()
        .take_while(|char| char.is_ascii_digit() || *char == '.')
        .take(11)
        .collect();
    let value = |typed: &str| match typed.split_once(';') {
        Some((_, value)) => value.trim().to_owned(),
        None => typed.trim().to_owned(),
    };
    let diagnostic = field(block, "diagnostic-code").map_or_else(String::new, |text| value(&text));
    Some(Bounce {
        message,
        address: value(&final_recipient)
            .trim_matches(|char| char == '<' || char == '>')
            .to_owned(),
        is_final,
        status,
        diagnostic: diagnostic.chars().take(MAX_DIAGNOSTIC_CHARS).collect(),
    })
}

/// Returns our message of a `Message-Id` we gave it.
fn message_id(value: &str) -> Option<Uuid> {
    let local = value.trim().trim_start_matches('<').split('@').next()?;
    local.strip_prefix(MESSAGE_PREFIX)?.parse().ok()
}

/// Splits headers from what follows the first empty line.
fn split_head(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches('\n');
    text.split_once("\n\n").unwrap_or((text, ""))
}

/// Returns the value of the first field of a name, its continuation lines joined.
fn field(head: &str, name: &str) -> Option<String> {
    let mut lines = head.lines();
    let first = lines.find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.trim_end().eq_ignore_ascii_case(name).then_some(value)
    })?;
    let mut value = first.trim().to_owned();
    for line in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value.push(' ');
        value.push_str(line.trim());
    }
    Some(value)
}

fn parameter(kind: &str, name: &str) -> Option<String> {
    kind.split(';').skip(1).find_map(|parameter| {
        let (found, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (found.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then(|| value.to_owned())
    })
}

fn parts<'a>(body: &'a str, boundary: &str) -> impl Iterator<Item = &'a str> {
    let delimiter = format!("\n--{boundary}");
    let start = body.find(&delimiter[1..]).unwrap_or(body.len());
    let mut rest = Some(&body[start..]);
    let first = delimiter[1..].to_owned();
    std::iter::from_fn(move || {
        let of = rest?.strip_prefix(first.as_str())?;
        // Two dashes end the list.
        if of.starts_with("--") {
            return None;
        }
        let end = of.find(&delimiter);
        rest = end.map(|end| &of[end + 1..]);
        Some(&of[..end.unwrap_or(of.len())])
    })
    .take(MAX_PARTS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    /// Like the first example of RFC 3464, appendix E, about a message of ours.
    fn report(action: &str, status: &str, original: &str) -> String {
        format!(
            "Date: Thu, 7 Jul 1994 17:16:05 -0400\r\nFrom: Mail Delivery Subsystem <MAILER-DAEMON@CS.UTK.EDU>\r\n\
             Subject: Returned mail: Cannot send message for 5 days\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"RAA14128.773615765/CS.UTK.EDU\"\r\n\r\n\
             --RAA14128.773615765/CS.UTK.EDU\r\n\r\nThe original message was received at Sat, 2 Jul 1994\r\n\r\n\
             --RAA14128.773615765/CS.UTK.EDU\r\ncontent-type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; cs.utk.edu\r\n\r\n\
             Original-Recipient: rfc822;zhang.wei@example.com\r\nFinal-Recipient: rfc822; zhang.wei@example.com\r\n\
             Action: {action}\r\nStatus: {status} (permanent failure)\r\n\
             Diagnostic-Code: smtp; 550 'zhang.wei@example.com' is not a\r\n  registered gateway user\r\n\r\n\
             --RAA14128.773615765/CS.UTK.EDU\r\ncontent-type: message/rfc822\r\n\r\n\
             {original}\r\n--RAA14128.773615765/CS.UTK.EDU--\r\n"
        )
    }

    fn original() -> String {
        format!("Subject: x\r\nMessage-ID: <messages/{ID}@reflex.example>\r\nTo: zhang.wei@example.com\r\n\r\nwords")
    }

    #[test]
    fn a_report_names_message_address_and_reason() {
        let bounce = read(report("failed", "5.1.1", &original()).as_bytes()).unwrap();
        assert_eq!(
            bounce,
            Bounce {
                message: ID.parse().unwrap(),
                address: "zhang.wei@example.com".into(),
                is_final: true,
                status: "5.1.1".into(),
                diagnostic: "550 'zhang.wei@example.com' is not a registered gateway user".into(),
            }
        );
        assert!(bounce.is_address_dead());
    }

    #[test]
    fn only_what_is_about_the_address_makes_it_dead() {
        for (action, status, is_dead) in [
            ("failed", "5.1.1", true),
            ("failed", "5.1.10", true),
            ("failed", "5.2.1", true),
            ("failed", "5.2.2", false),
            ("failed", "5.7.1", false),
            ("failed", "4.4.7", false),
            ("delayed", "4.4.1", false),
        ] {
            let bounce = read(report(action, status, &original()).as_bytes()).unwrap();
            assert_eq!(bounce.is_address_dead(), is_dead, "{action} {status}");
        }
    }

    #[test]
    fn whatever_is_no_report_about_a_message_of_ours_is_left_alone() {
        let foreign = "Message-ID: <canary@elsewhere.example>\r\n\r\nwords";
        for raw in [
            String::new(),
            "Subject: 外出自动回复\r\n\r\n本周休假".to_owned(),
            report("failed", "5.1.1", foreign),
            report("delivered", "2.0.0", &original()),
            report("failed", "5.1.1", &original()).replace("message/delivery-status", "text/plain"),
            report("failed", "5.1.1", &original()).replace("multipart/report", "multipart/mixed"),
            report("failed", "5.1.1", &original()).replace("boundary", "border"),
            report("failed", "5.1.1", &original()) + &"x".repeat(MAX_BYTES),
        ] {
            assert_eq!(read(raw.as_bytes()), None, "{raw:.200}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(cut in 0_usize..1_400, noise in prop::collection::vec(any::<u8>(), 0..300)) {
            let report = report("failed", "5.1.1", &original());
            let mut raw = report.as_bytes()[..cut.min(report.len())].to_vec();
            raw.extend(noise);
            let _read = read(&raw);
        }
    }
}
