//! The proto3 JSON form of messages.

use prost::bytes::Bytes;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde::de::Error as _;

use crate::problem::{Problem, Violation};

/// What prost-reflect says before the name of a field that a message does not have.
const UNKNOWN_FIELD: &str = "unrecognized field name '";

/// Reads a message from JSON; an empty text is an empty message. Unknown fields are refused by their name.
pub(crate) fn read(descriptor: &MessageDescriptor, json: &[u8]) -> Result<DynamicMessage, Problem> {
    parse(descriptor, json).map_err(|violation| Problem::invalid(vec![violation]))
}

/// As [`read`], for a line of many: tells the violation alone.
pub(crate) fn parse(descriptor: &MessageDescriptor, json: &[u8]) -> Result<DynamicMessage, Violation> {
    if json.trim_ascii().is_empty() {
        return Ok(DynamicMessage::new(descriptor.clone()));
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let message = DynamicMessage::deserialize(descriptor.clone(), tracked);
    let message = message.map_err(|error| violation(&track.path().to_string(), &error))?;
    reader.end().map_err(|error| violation(".", &error))?;
    Ok(message)
}

/// Writes an encoded message as JSON.
pub(crate) fn write(descriptor: &MessageDescriptor, message: Bytes) -> Result<Vec<u8>, Problem> {
    let written = DynamicMessage::decode(descriptor.clone(), message)
        .map_err(serde_json::Error::custom)
        .and_then(|message| serde_json::to_vec(&message));
    written.map_err(|error| {
        tracing::error!(message = descriptor.full_name(), %error, "an answer has no JSON form");
        Problem::internal()
    })
}

fn violation(path: &str, error: &serde_json::Error) -> Violation {
    let text = error.to_string();
    // The tracked path of the root is a dot, and it ends with a question mark where there is no name.
    let path = path.trim_end_matches('?').trim_end_matches('.');
    let unknown = text
        .strip_prefix(UNKNOWN_FIELD)
        .and_then(|rest| Some(rest.split_once('\'')?.0));
    match unknown {
        Some(name) if path.is_empty() => Violation::new(name, "is not known"),
        Some(name) => Violation::new(format!("{path}.{name}"), "is not known"),
        None => Violation::new(path, text),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use serde_json::{Value, json};

    use super::*;

    fn message(name: &str) -> MessageDescriptor {
        reflex_proto::descriptor_pool().get_message_by_name(name).unwrap()
    }

    #[test]
    fn json_comes_back_as_it_went() {
        let descriptor = message("reflex.leads.v1.CaptureLeadRequest");
        let sent = json!({
            "lead": {
                "source": "website", "company": "江苏恒瑞医药", "urgency": "URGENCY_RED", "budgetMinFen": "9007199254740993",
                "attributes": {"科室": "骨科"}, "rawPayload": "eyJhIjoxfQ==",
            },
            "requestId": "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
        });
        let read = read(&descriptor, sent.to_string().as_bytes()).unwrap();
        let written = write(&descriptor, read.encode_to_vec().into()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), sent);
    }

    #[test]
    fn both_names_of_a_field_are_read() {
        let descriptor = message("reflex.leads.v1.ListLeadsRequest");
        let camel = read(&descriptor, br#"{"pageSize": 7}"#).unwrap();
        assert_eq!(camel, read(&descriptor, br#"{"page_size": 7}"#).unwrap());
        assert_eq!(read(&descriptor, b" \n").unwrap(), DynamicMessage::new(descriptor));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let descriptor = message("reflex.leads.v1.CaptureLeadRequest");
        for (json, field) in [
            (r#"{"led": {}}"#, "led"),
            (r#"{"lead": {"compny": "x"}}"#, "lead.compny"),
            (r#"{"lead": {"company": 7}}"#, "lead.company"),
            (r#"{"lead": {"budgetMinFen": "1.5"}}"#, "lead.budgetMinFen"),
            (
                r#"{"lead": {"budgetMinFen": 9223372036854775808}}"#,
                "lead.budgetMinFen",
            ),
            (r#"{"lead": {"urgency": "URGENCY_BLUE"}}"#, "lead.urgency"),
            (r#"{"lead": {"attributes": {"a": 1}}}"#, "lead.attributes.a"),
            (r#"{"lead": {"rawPayload": "***"}}"#, "lead.rawPayload"),
            (r#"{"lead": []}"#, "lead"),
            ("[]", ""),
            ("{", ""),
            ("{} {}", ""),
        ] {
            let problem = read(&descriptor, json.as_bytes()).unwrap_err();
            assert_eq!(problem.json()["violations"][0]["field"], field, "{json}: {problem:?}");
        }
        for garbage in [
            b"{\"lead\": {\"company\": \"\xff\"}}".as_slice(),
            b"\0",
            b"\xef\xbb\xbf{}",
        ] {
            assert_eq!(read(&descriptor, garbage).unwrap_err().status(), 400);
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read(&descriptor, deep.as_bytes()).unwrap_err().status(), 400);
    }
}
