//! What the links of messages do.

use serde_json::{Map, Value, json};

use super::reference;
use crate::actions::ROUTE;

/// Returns the route of links with its operations.
pub(super) fn paths() -> Map<String, Value> {
    let look = operation(
        "getAction",
        "Shows what a link of a message does.",
        "Changes nothing: chats fetch links for previews.",
    );
    let perform = operation(
        "performAction",
        "Does what a link of a message does.",
        "In the name of whom the message was sent to, and once: done again it says when it was done. 409 when it cannot be done \
         any more.",
    );
    Map::from_iter([(ROUTE.to_owned(), json!({"get": look, "post": perform}))])
}

fn operation(id: &str, summary: &str, description: &str) -> Value {
    json!({
        "operationId": id,
        "tags": ["actions"],
        "summary": summary,
        "description": format!("{description} Wrong, expired and foreign tokens all get 404; 410 when what the message is about is \
            erased or withdrawn; 429 after many wrong tokens. A page in Chinese or English by `Accept-Language`, or JSON where \
            `Accept` names application/json."),
        "security": [],
        "parameters": [
            {"name": "token", "in": "path", "required": true, "schema": {"type": "string"},
             "description": "The token of the link, which is all it takes."},
        ],
        "responses": {
            "200": {
                "description": "How it stands.",
                "content": {
                    "text/html": {"schema": {"type": "string"}},
                    "application/json": {"schema": {
                        "type": "object",
                        "required": ["action", "state", "message"],
                        "properties": {
                            "action": {"type": "string", "enum": ["ack", "claim", "confirm", "ignore"]},
                            "state": {"type": "string", "enum": ["open", "answered", "erased", "withdrawn"]},
                            "message": {"type": "string"},
                            "subject": {"type": "string"},
                            "title": {"type": "string"},
                            "recipient": {"type": "string"},
                            "recipient_name": {"type": "string"},
                            "expire_time": {"type": "string", "format": "date-time"},
                            "answer_time": {"type": ["string", "null"], "format": "date-time"},
                        },
                    }},
                },
            },
            "default": reference("responses/Problem"),
        },
    })
}
