//! What websites send and load.

use serde_json::{Map, Value, json};

use super::{header, reference};
use crate::forms::{
    ROUTE, SCHEMA_ROUTE, SCRIPT_ROUTE, SNIPPET_ROUTE, WRITE_KEY, WRITE_KEY_PARAMETER, new_lead, submission,
};

/// Returns the routes of forms with their operations.
pub(super) fn paths() -> Map<String, Value> {
    let with_key = || vec![form_parameter(), key_parameter()];
    let schema = shown(
        "getFormSchema",
        "Returns what a form asks, for the pages that may post it.",
        "application/json",
        with_key(),
    );
    let snippet = shown(
        "getFormSnippet",
        "Returns the lines that show the form where they are pasted into a page.",
        "text/plain",
        with_key(),
    );
    let script = shown(
        "getFormScript",
        "Returns the script that the lines load.",
        "text/javascript",
        Vec::new(),
    );
    Map::from_iter([
        (ROUTE.to_owned(), json!({"post": post_form()})),
        (SCHEMA_ROUTE.to_owned(), json!({"get": schema})),
        (SNIPPET_ROUTE.to_owned(), json!({"get": snippet})),
        (SCRIPT_ROUTE.to_owned(), json!({"get": script})),
    ])
}

fn shown(id: &str, summary: &str, media: &str, mut parameters: Vec<Value>) -> Value {
    parameters.push(header("if-none-match", "ETag of what the client has."));
    json!({
        "operationId": id,
        "tags": ["forms"],
        "summary": summary,
        "security": [],
        "parameters": parameters,
        "responses": {
            "200": {"description": "The newest, with its ETag.", "content": {media: {}}},
            "304": {"description": "The client has it."},
            "default": reference("responses/Problem"),
        },
    })
}

fn form_parameter() -> Value {
    json!({"name": "form", "in": "path", "required": true, "schema": {"type": "string"}})
}

fn key_parameter() -> Value {
    json!({
        "name": WRITE_KEY_PARAMETER, "in": "query", "schema": {"type": "string"},
        "description": "Write key of the form, where no header can be set.",
    })
}

fn post_form() -> Value {
    let mut properties = Map::new();
    for (target, names) in new_lead::NAMES {
        for name in *names {
            let described = json!({"type": ["string", "number"], "description": format!("Fills {}.", target.path())});
            properties.insert((*name).to_owned(), described);
        }
    }
    let version = json!({"type": ["string", "number"], "description": "Version of the schema that the page shows."});
    properties.insert(submission::VERSION.to_owned(), version);
    let fields = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": {"description": "An attribute of the lead."},
        "maxProperties": 100,
    });
    json!({
        "operationId": "postForm",
        "tags": ["forms"],
        "summary": "Turns what a website's form sends into a lead.",
        "description": "A form with a schema takes the fields of its version, and checks them: the one that \
            `form_version` names, else the newest, which also knows the names of the list for the fields they fill. \
            Of several fields for the same thing the first of the list counts, the others become attributes. \
            A repeated post with the same request_id or external_id answers with the stored lead.",
        "security": [],
        "parameters": [
            form_parameter(),
            header(WRITE_KEY, "Write key of the form."),
            key_parameter(),
            header("accept-language", "Language of what is wrong with answers: zh or en."),
        ],
        "requestBody": {
            "required": true,
            "content": {
                "application/json": {"schema": fields},
                "application/x-www-form-urlencoded": {"schema": fields},
            },
        },
        "responses": {
            "202": {
                "description": "The lead is stored.",
                "content": {"application/json": {"schema": {
                    "type": "object",
                    "required": ["number", "name", "existed"],
                    "properties": {
                        "number": {"type": "string", "description": "Number people quote."},
                        "name": {"type": "string", "description": "Resource name, \"leads/{lead}\"."},
                        "existed": {"type": "boolean", "description": "Whether an earlier post had stored it."},
                    },
                }}},
            },
            "default": reference("responses/Problem"),
        },
    })
}
