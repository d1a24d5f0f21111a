//! What other systems send.

use serde_json::{Map, Value, json};

use super::{header, reference};
use crate::webhooks::{ROUTE, TENANT_PARAMETER};

/// Returns the route of webhooks with its operation.
pub(super) fn paths() -> Map<String, Value> {
    Map::from_iter([(ROUTE.to_owned(), json!({"post": post()}))])
}

fn post() -> Value {
    json!({
        "operationId": "postWebhook",
        "tags": ["webhooks"],
        "summary": "Turns a signed body of another system into a lead.",
        "description": "The body is any JSON; the mapping of the source says what it means. It is signed as Standard Webhooks \
            has it. A repetition, told by the body's external id or else by its webhook-id, answers as the first time. \
            Violations name places of the body as JSON pointers.",
        "security": [],
        "parameters": [
            {"name": "source", "in": "path", "required": true, "schema": {"type": "string"},
             "description": "Id of the source."},
            {"name": TENANT_PARAMETER, "in": "query", "required": true, "schema": {"type": "string"},
             "description": "The tenant whose source it is."},
            header("webhook-id", "Id of the message, the same in every repetition."),
            header("webhook-timestamp", "Seconds since 1970 when it was signed, within five minutes."),
            header("webhook-signature", "Signatures of `{id}.{timestamp}.{body}`, `v1,` and base64, with spaces between them."),
        ],
        "requestBody": {"required": true, "content": {"application/json": {"schema": {}}}},
        "responses": {
            "202": {
                "description": "The lead is stored.",
                "content": {"application/json": {"schema": {
                    "type": "object",
                    "required": ["number", "name"],
                    "properties": {
                        "number": {"type": "string", "description": "Number people quote."},
                        "name": {"type": "string", "description": "Resource name, \"leads/{lead}\"."},
                    },
                }}},
            },
            "default": reference("responses/Problem"),
        },
    })
}
