//! `GET /v1/openapi.json`: the API as `OpenAPI` 3.1, read from the descriptors and the comments in the protos.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    body::Bytes,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use crate::{
    problem::PROBLEM_JSON,
    rpc::{
        lines::NDJSON,
        methods::{Method, Methods, Shape, Target},
    },
};
use comments::Comments;
use schemas::Schemas;

mod actions;
mod comments;
mod forms;
mod schemas;
mod webhooks;

/// Returns the route of the document, which is written when somebody asks for it first.
pub(crate) fn routes(methods: Arc<Methods>, with_forms: bool) -> Router {
    let document = Arc::new(LazyLock::new(move || {
        Bytes::from(document(&methods, with_forms).to_string())
    }));
    let serve = async move || -> Response {
        let headers = [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "public, max-age=300"),
        ];
        (headers, Bytes::clone(&document)).into_response()
    };
    Router::new().route("/v1/openapi.json", get(serve))
}

fn document(methods: &Methods, with_forms: bool) -> Value {
    let comments = Comments::new();
    let mut schemas = Schemas::new(&comments);
    let mut paths = Map::new();
    let mut tags: Vec<Value> = Vec::new();
    for method in methods.in_order() {
        let service = method.descriptor.parent_service();
        if tags.last().is_none_or(|tag| tag["name"] != service.full_name()) {
            let description = comments.of(&service.parent_file(), service.path());
            tags.push(json!({"name": service.full_name(), "description": description}));
        }
        let path = format!("/v1/rpc{}", method.path);
        paths.insert(path, json!({"post": operation(method, &comments, &mut schemas)}));
    }
    if with_forms {
        tags.push(json!({"name": "forms", "description": "What websites send."}));
        paths.extend(forms::paths());
        tags.push(json!({"name": "webhooks", "description": "What other systems send."}));
        paths.extend(webhooks::paths());
        tags.push(json!({"name": "actions", "description": "The links of messages."}));
        paths.extend(actions::paths());
    }
    let mut schemas = schemas.finish();
    schemas.insert("Problem".to_owned(), problem_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Reflex",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every RPC of every service with JSON. A write may be repeated with the same request_id.",
        },
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "responses": {
                "Problem": {
                    "description": "It failed; programs match on `reason`.",
                    "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                },
            },
            "parameters": {
                "Tenant": header("x-reflex-tenant", "Tenant to act for; may be left out with a token of one tenant."),
                "Timeout": header("x-timeout-ms", "How long the caller waits, in milliseconds."),
            },
        },
        "security": [{"token": []}],
    })
}

fn operation(method: &Method, comments: &Comments, schemas: &mut Schemas<'_>) -> Value {
    let descriptor = &method.descriptor;
    let service = descriptor.parent_service();
    let comment = comments.of(&service.parent_file(), descriptor.path());
    let (input, output) = (schemas.reference(&method.input), schemas.reference(&method.output));
    let (request_type, answer_type) = match method.shape {
        Shape::Unary | Shape::BothStreaming => ("application/json", "application/json"),
        Shape::ServerStreaming => ("application/json", NDJSON),
        Shape::ClientStreaming => (NDJSON, "application/json"),
    };
    let mut parameters = vec![reference("parameters/Tenant"), reference("parameters/Timeout")];
    if let Target::Each = method.target {
        parameters.push(json!({
            "name": "service", "in": "query", "required": true,
            "description": "Service that answers, for example \"leads\".", "schema": {"type": "string"},
        }));
    }
    let permission = reflex_proto::PERMISSIONS
        .iter()
        .find(|(path, _)| *path == method.path.as_str())
        .and_then(|(_, permission)| *permission);
    json!({
        "operationId": format!("{}.{}", service.name(), descriptor.name()),
        "tags": [service.full_name()],
        "summary": comment.split_inclusive('.').next().unwrap_or_default(),
        "description": comment,
        "x-permission": permission,
        "parameters": parameters,
        "requestBody": {"required": true, "content": {request_type: {"schema": input}}},
        "responses": {
            "200": {"description": "Done.", "content": {answer_type: {"schema": output}}},
            "default": reference("responses/Problem"),
        },
    })
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "Problem details (RFC 9457).",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What happened, for people."},
            "reason": {"type": "string", "description": "What happened, for programs: reflex.platform.v1.Reason."},
            "violations": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["field", "description"],
                    "properties": {"field": {"type": "string"}, "description": {"type": "string"}},
                },
            },
            "retry_after_ms": {"type": "integer", "description": "When to try again."},
        },
    })
}

fn header(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "header", "description": description, "schema": {"type": "string"}})
}

fn reference(path: &str) -> Value {
    json!({"$ref": format!("#/components/{path}")})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tonic::transport::Endpoint;

    use super::*;
    use crate::backends::Backends;

    fn all() -> Value {
        let channel = Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let names = ["leads", "notifications"].map(|name| (name.to_owned(), channel.clone()));
        let backends = Backends::new(BTreeMap::from(names));
        let methods = Methods::new(reflex_proto::descriptor_pool(), &backends);
        document(&methods, true)
    }

    #[tokio::test]
    async fn every_method_of_the_protos_is_described() {
        let document = all();
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(
            paths.len(),
            reflex_proto::PERMISSIONS.len() + 6,
            "and forms, webhooks and links"
        );
        for (path, permission) in reflex_proto::PERMISSIONS {
            let operation = &paths[&format!("/v1/rpc{path}")]["post"];
            assert_eq!(operation["x-permission"], permission.unwrap(), "{path}");
            assert!(
                !operation["summary"].as_str().unwrap().is_empty(),
                "{path} has a comment"
            );
        }
    }

    #[tokio::test]
    async fn every_reference_leads_somewhere() {
        let document = all();
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(references.len() > 100);
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    fn collect(value: &Value, references: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                references.extend(members.get("$ref").and_then(|one| Some(one.as_str()?.to_owned())));
                members.values().for_each(|value| collect(value, references));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
            _ => {}
        }
    }

    #[tokio::test]
    async fn a_lead_is_described_as_json_writes_it() {
        let document = all();
        let lead = &document["components"]["schemas"]["reflex.leads.v1.NewLead"]["properties"];
        assert_eq!(lead["budgetMinFen"]["format"], "int64");
        assert_eq!(lead["attributes"]["additionalProperties"]["type"], "string");
        assert_eq!(lead["rawPayload"]["contentEncoding"], "base64");
        assert_eq!(
            lead["urgency"]["$ref"],
            "#/components/schemas/reflex.leads.v1.Lead.Urgency"
        );
        assert_eq!(
            lead["company"]["description"],
            "Company as typed, at most 300 characters."
        );
        let time =
            &document["components"]["schemas"]["reflex.leads.v1.CaptureLeadResponse"]["properties"]["createTime"];
        assert_eq!(time["format"], "date-time");
    }
}
