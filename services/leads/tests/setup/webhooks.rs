//! Sources of signed bodies: what is refused, and that a service without a key keeps none.

use std::collections::BTreeSet;

use reflex_leads::domain::webhook::TARGETS;
use reflex_proto::leads::v1::{
    CaptureWebhookRequest, ListWebhookSourcesRequest, PutWebhookSourceRequest, WebhookSource,
};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::harness::{HUADONG, Leads, WRONG_STATE, assert_refused};

fn put(mapping: &str) -> PutWebhookSourceRequest {
    let source = WebhookSource {
        name: "webhookSources/baidu".into(),
        source: "百度推广".into(),
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
        mapping: mapping.into(),
        enabled: true,
        ..WebhookSource::default()
    };
    PutWebhookSourceRequest {
        source: Some(source),
        request_id: String::new(),
    }
}

#[tokio::test]
async fn mistakes_are_named_and_without_a_key_nothing_is_kept() {
    let leads = Leads::start().await;
    let mut webhooks = leads.admin(HUADONG).webhooks;
    let mistaken = put(r#"{"version": 1, "fields": {"compnay": "/a", "phone": {"form": "/b"}}}"#);
    let refused = webhooks.put_webhook_source(mistaken).await.unwrap_err();
    let details = refused.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    let told: Vec<(&str, bool)> = violations
        .iter()
        .map(|it| (it.field.as_str(), it.description.contains("did you mean")))
        .collect();
    assert_eq!(
        told,
        [
            ("source.mapping.fields.compnay", true),
            ("source.mapping.fields.phone.form", true),
            ("source.mapping.fields.phone", false),
            ("source.mapping.fields.phone", false),
        ],
        "{violations:#?}"
    );
    let good = put(r#"{"version": 1, "fields": {"phone": "/tel"}}"#);
    assert_refused(webhooks.put_webhook_source(good).await, WRONG_STATE, "sealing_key");
    let listed = webhooks
        .list_webhook_sources(ListWebhookSourcesRequest::default())
        .await
        .unwrap();
    assert!(listed.into_inner().sources.is_empty());
    for name in ["webhookSources/baidu", "webhookSources/", "baidu", ""] {
        let request = CaptureWebhookRequest {
            name: name.into(),
            ..CaptureWebhookRequest::default()
        };
        let refused = webhooks.capture_webhook(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{name:?}");
    }
}

/// The command line reads them from the proto.
#[test]
fn mappings_fill_what_a_lead_has_and_no_source_says() {
    let lead = reflex_proto::descriptor_pool()
        .get_message_by_name("reflex.leads.v1.NewLead")
        .unwrap();
    let mut names: BTreeSet<String> = lead.fields().map(|field| field.name().to_owned()).collect();
    for of_the_source in ["source", "form", "attributes", "raw_payload"] {
        assert!(names.remove(of_the_source));
    }
    let targets: BTreeSet<String> = TARGETS.names.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(targets, names);
}
