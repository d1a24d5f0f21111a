//! What pages load, and posts of forms that have a schema.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use reflex_proto::leads::v1::{
    Form, FormField, FormOption, FormSchema, FormText, LeadField, SubmitFormRequest, SubmitFormResponse,
    form_field::Kind,
};
use reflex_rpc::status::{self, FieldViolation};
use serde_json::json;

use crate::gateway::{Gateway, KEY, ORIGIN, captured, form};

const SUBMIT: &str = "/reflex.leads.v1.FormService/SubmitForm";
const ROUTE: &str = "/v1/forms/contact";
const JSON: (&str, &str) = ("content-type", "application/json");
const WITH_KEY: (&str, &str) = ("x-write-key", KEY);
const HOSTILE: &str = "</script><img src=x onerror=alert('1')>\"&";

fn field(id: &str, kind: Kind, fills: LeadField) -> FormField {
    FormField {
        id: id.to_owned(),
        kind: kind.into(),
        fills: fills.into(),
        label: Some(FormText {
            zh: format!("{id}标签"),
            en: String::new(),
        }),
        ..FormField::default()
    }
}

fn with_schema() -> Form {
    let option = FormOption {
        value: HOSTILE.to_owned(),
        label: None,
    };
    let devices = FormField {
        options: vec![option],
        ..field("devices", Kind::MultiSelect, LeadField::Unspecified)
    };
    let fields = vec![
        field("firma", Kind::ShortText, LeadField::Company),
        field("budget", Kind::NumberRange, LeadField::Budget),
        devices,
    ];
    Form {
        title: HOSTILE.to_owned(),
        schema: Some(FormSchema { fields }),
        version: 3,
        ..form()
    }
}

fn submitted() -> SubmitFormResponse {
    SubmitFormResponse {
        name: captured().name,
        number: captured().number,
        ..SubmitFormResponse::default()
    }
}

fn path(below: &str) -> String {
    format!("{ROUTE}/{below}?k={KEY}")
}

#[tokio::test]
async fn a_page_gets_what_the_form_asks_and_nothing_else() {
    let gateway = Gateway::start().await;
    let asked = gateway.has_form(with_schema());
    let origin = ("origin", ORIGIN);
    let answer = gateway.client.send(Method::GET, &path("schema"), &[origin], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = |zh: &str| json!({"zh": zh, "en": zh});
    let field = |id: &str, kind: &str, options: serde_json::Value| {
        json!({"id": id, "kind": kind, "label": text(&format!("{id}标签")), "hint": text(""), "required": false,
            "options": options, "max_length": 0, "minimum": 0, "maximum": 0})
    };
    let option = json!([{"value": HOSTILE, "label": text(HOSTILE)}]);
    assert_eq!(
        answer.json(),
        json!({"title": HOSTILE, "version": 3, "fields": [
            field("firma", "short_text", json!([])),
            field("budget", "number_range", json!([])),
            field("devices", "multi_select", option),
        ]})
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(answer.header("vary"), Some("origin, x-write-key"));

    let tag = answer.header("etag").unwrap().to_owned();
    assert!(tag.starts_with("\"v3-"), "{tag}");
    for (known, status) in [
        (tag.as_str(), 304),
        (&format!("W/{tag}"), 304),
        (&format!("\"x\", {tag}"), 304),
        ("*", 304),
        ("\"v3\"", 200),
    ] {
        let headers = [origin, ("if-none-match", known)];
        let answer = gateway.client.send(Method::GET, &path("schema"), &headers, "").await;
        assert_eq!(answer.status, status, "{known}");
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    }
    assert_eq!(asked.count(), 1);

    gateway.has_form(Form {
        version: 4,
        ..with_schema()
    });
    gateway.clock.advance(SignedDuration::from_secs(30));
    let headers = [("if-none-match", tag.as_str())];
    let answer = gateway.client.send(Method::GET, &path("schema"), &headers, "").await;
    assert_eq!((answer.status, answer.json()["version"].as_i64()), (200, Some(4)));
    gateway.stop().await;
}

#[tokio::test]
async fn the_snippet_is_escaped_text_for_this_host() {
    let gateway = Gateway::start().await;
    gateway.has_form(with_schema());
    let answer = gateway.client.get(&path("snippet")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.text,
        format!(
            "<section data-reflex-form=\"contact\" data-reflex-key=\"{KEY}\" \
             aria-label=\"&lt;/script&gt;&lt;img src=x onerror=alert(&#39;1&#39;)&gt;&quot;&amp;\"></section>\n\
             <script src=\"//{}/v1/forms.js\" async></script>\n",
            gateway.client.address()
        )
    );
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let forged = [("host", "evil.cn\"><script>")];
    let answer = gateway.client.send(Method::GET, &path("snippet"), &forged, "").await;
    assert!(
        answer.status == 400 && !answer.text.contains("<script>"),
        "{}",
        answer.text
    );
    gateway.stop().await;
}

#[tokio::test]
async fn the_script_may_be_loaded_by_every_page() {
    let gateway = Gateway::start().await;
    let answer = gateway.client.get("/v1/forms.js").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("cross-origin"));
    assert!(answer.text.contains("data-reflex-form"));
    // It says how the form was filled in.
    assert!(answer.text.contains("elapsed_ms") && answer.text.contains("honeypot"));
    let tag = answer.header("etag").unwrap();
    let again = [("if-none-match", tag)];
    let again = gateway.client.send(Method::GET, "/v1/forms.js", &again, "").await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    gateway.stop().await;
}

#[tokio::test]
async fn pages_and_forms_are_shown_to_whoever_may_post() {
    let gateway = Gateway::start().await;
    gateway.has_form(with_schema());
    for below in ["schema", "snippet"] {
        let wrong_key = format!("{ROUTE}/{below}?k=wk_huadong_wrong");
        let other_form = format!("/v1/forms/other/{below}?k={KEY}");
        for path in [format!("{ROUTE}/{below}"), wrong_key, other_form] {
            gateway.client.get(&path).await.problem(StatusCode::NOT_FOUND);
        }
        let evil = [("origin", "https://evil.cn")];
        let answer = gateway.client.send(Method::GET, &path(below), &evil, "").await;
        answer.problem(StatusCode::FORBIDDEN);
        assert!(answer.header("access-control-allow-origin").is_none());
    }
    gateway.has_form(form());
    gateway.clock.advance(SignedDuration::from_secs(30));
    for below in ["schema", "snippet"] {
        let problem = gateway.client.get(&path(below)).await.problem(StatusCode::NOT_FOUND);
        assert_eq!(problem["detail"], "the form has no published version");
    }
    gateway.has_form(Form {
        enabled: false,
        ..with_schema()
    });
    gateway.clock.advance(SignedDuration::from_secs(30));
    let problem = gateway.client.get(&path("schema")).await.problem(StatusCode::FORBIDDEN);
    assert_eq!(problem["detail"], "the form is switched off");
    assert_eq!(
        gateway.client.get(&path("snippet")).await.status,
        200,
        "who sets it up may go on"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn posts_of_a_schema_are_submissions() {
    let gateway = Gateway::start().await;
    gateway.has_form(with_schema());
    let last = std::sync::Arc::new(parking_lot::Mutex::new(SubmitFormRequest::default()));
    let kept = std::sync::Arc::clone(&last);
    gateway.leads.on(SUBMIT, move |_, _, request: SubmitFormRequest| {
        *kept.lock() = request;
        Ok(submitted())
    });
    let own = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
    let body = json!({"form_version": 2, "request_id": own, "firma": "恒瑞", "devices": ["PLC", "传感器"]}).to_string();
    let headers = [JSON, WITH_KEY, ("accept-language", "en-GB")];
    let answer = gateway.client.post(ROUTE, &headers, body.clone()).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(
        answer.json(),
        json!({"number": captured().number, "name": captured().name, "existed": false})
    );
    let request = last.lock().clone();
    assert_eq!((request.name.as_str(), request.version), ("forms/contact", 2));
    assert_eq!((request.request_id.as_str(), request.locale.as_str()), (own, "en"));
    assert_eq!(request.raw_payload, body.as_bytes(), "untouched");
    assert_eq!(request.answers.len(), 2);
    assert_eq!(request.answers["devices"], "PLC, 传感器");

    let by_hand = r#"{"公司": "恒瑞", "最低预算": 500}"#;
    assert_eq!(gateway.client.post(ROUTE, &[JSON, WITH_KEY], by_hand).await.status, 202);
    let request = last.lock().clone();
    assert_eq!((request.version, request.locale.as_str()), (0, "zh-CN"));
    assert_eq!(request.request_id.len(), 36, "an id of the gateway's own");
    assert_eq!(
        (&request.answers["firma"], &request.answers["budget_min"]),
        (&"恒瑞".to_owned(), &"500".to_owned())
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_answers_goes_to_their_fields() {
    let gateway = Gateway::start().await;
    gateway.has_form(with_schema());
    gateway.leads.on(
        SUBMIT,
        |_, _, request: SubmitFormRequest| -> Result<SubmitFormResponse, _> {
            Err(match request.version {
                9 => status::invalid(vec![FieldViolation::new("version", "is no published version")]),
                8 => status::wrong_state("forms/contact is switched off"),
                _ => status::invalid(vec![
                    FieldViolation::new("answers.firma", "必填"),
                    FieldViolation::new("answers.budget_max", "不能大于 9"),
                    FieldViolation::new("answers", "must be at most 100"),
                ]),
            })
        },
    );
    let post = async |body: serde_json::Value| {
        let headers = [JSON, WITH_KEY, ("origin", ORIGIN)];
        gateway.client.post(ROUTE, &headers, body.to_string()).await
    };
    let answer = post(json!({"form_version": 3, "firma": ""})).await;
    assert_eq!(answer.violated(), ["firma", "budget_max", ""]);
    assert_eq!(answer.json()["violations"][0]["description"], "必填");
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(
        post(json!({"公司": "x", "最高预算": 10})).await.violated(),
        ["公司", "最高预算", ""]
    );
    assert_eq!(post(json!({"form_version": 9})).await.violated(), ["form_version"]);
    assert_eq!(post(json!({"form_version": "neu"})).await.violated(), ["form_version"]);
    let off = post(json!({"form_version": 8})).await.problem(StatusCode::BAD_REQUEST);
    assert_eq!(off["reason"], "WRONG_STATE");
    gateway.stop().await;
}
