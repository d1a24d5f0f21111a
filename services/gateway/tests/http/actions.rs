//! Links of messages.

use std::sync::Arc;

use http::{Method, StatusCode};
use jiff::SignedDuration;
use parking_lot::Mutex;
use reflex_proto::{
    leads::v1::{
        AcknowledgeEscalationRequest, AcknowledgeEscalationResponse, ClaimLeadRequest, ClaimLeadResponse,
        RecordFollowUpRequest, RecordFollowUpResponse,
    },
    notifications::v1::{
        Action, AnswerActionRequest, AnswerActionResponse, GetActionRequest, GetActionResponse,
        action::{Kind, State},
    },
};
use reflex_rpc::{identity::Role, status};
use serde_json::json;
use tonic::Status;

use crate::{backend::Calls, gateway::Gateway};

const GET_ACTION: &str = "/reflex.notifications.v1.ActionService/GetAction";
const ANSWER_ACTION: &str = "/reflex.notifications.v1.ActionService/AnswerAction";
const CLAIM: &str = "/reflex.leads.v1.ClaimService/ClaimLead";
const ACKNOWLEDGE: &str = "/reflex.leads.v1.FollowUpService/AcknowledgeEscalation";
const RECORD: &str = "/reflex.leads.v1.FollowUpService/RecordFollowUp";
const TOKEN: &str = "huadong.AQID-_";
const ROUTE: &str = "/v1/actions/huadong.AQID-_";
const JSON: (&str, &str) = ("accept", "application/json");

fn action(kind: Kind) -> Action {
    Action {
        kind: kind.into(),
        state: State::Open.into(),
        message: "messages/1".into(),
        recipient: "members/zhang.wei".into(),
        recipient_display_name: "张<伟>".into(),
        subject: "leads/1".into(),
        title: "新线索 L1".into(),
        fencing_token: 7,
        effect_request_id: "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".into(),
        locale: "zh-CN".into(),
        ..Action::default()
    }
}

/// Lets notifications have one link; returns the calls that look and those that record.
fn has_link(gateway: &Gateway, action: Action) -> (Calls, Calls) {
    let kept = Arc::new(Mutex::new(action));
    let shown = Arc::clone(&kept);
    let looks = gateway
        .notifications
        .on(GET_ACTION, move |_, metadata, request: GetActionRequest| {
            assert_eq!(
                metadata.get("x-reflex-tenant").unwrap(),
                request.token.split('.').next().unwrap()
            );
            if request.token != TOKEN {
                return Err(status::not_found("the action of this link"));
            }
            Ok(GetActionResponse {
                action: Some(shown.lock().clone()),
            })
        });
    let records = gateway
        .notifications
        .on(ANSWER_ACTION, move |_, _, request: AnswerActionRequest| {
            assert_eq!(request.token, TOKEN);
            let mut action = kept.lock();
            let existed = action.state() == State::Answered;
            action.state = State::Answered.into();
            action.answer_time_shown = "03-02 10:00".into();
            Ok(AnswerActionResponse {
                action: Some(action.clone()),
                existed,
            })
        });
    (looks, records)
}

/// Lets leads take claims; it checks who claims.
fn takes_claims(gateway: &Gateway, answer: fn() -> Result<ClaimLeadResponse, Status>) -> Calls {
    let verifier = Arc::clone(&gateway.verifier);
    gateway.leads.on(CLAIM, move |_, metadata, request: ClaimLeadRequest| {
        let token = metadata.get("authorization").unwrap().to_str().unwrap();
        let identity = verifier.verify(token.strip_prefix("Bearer ").unwrap()).unwrap();
        let claims = &identity.claims;
        assert_eq!(claims.member.as_deref(), Some("members/zhang.wei"));
        assert_eq!(claims.roles, [Role::Sales]);
        assert_eq!(claims.tenants.only().unwrap().as_str(), "huadong");
        assert_eq!((request.name.as_str(), request.fencing_token), ("leads/1", 7));
        assert_eq!(request.request_id, "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b");
        answer()
    })
}

#[tokio::test]
async fn a_look_does_nothing_and_the_button_claims_once() {
    let gateway = Gateway::start().await;
    let (looks, records) = has_link(&gateway, action(Kind::Claim));
    let claims = takes_claims(&gateway, || Ok(ClaimLeadResponse::default()));
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let page = gateway.client.send(method.clone(), ROUTE, &[], "").await;
        assert_eq!(page.status, 200);
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        assert_eq!(page.headers["cache-control"], "no-store");
        assert!(
            page.headers["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'")
        );
        if method == Method::GET {
            assert!(
                page.text.contains("将以 张&lt;伟&gt; 的名义认领这条线索。"),
                "{}",
                page.text
            );
            assert!(page.text.contains("<form method=\"post\"><button>认领</button></form>"));
            assert!(!page.text.contains(TOKEN), "what is shown may be photographed");
        }
    }
    assert_eq!((looks.count(), records.count(), claims.count()), (3, 0, 0));

    let done = gateway.client.post(ROUTE, &[], "").await;
    assert_eq!(done.status, 200);
    assert!(
        done.text.contains("完成：张&lt;伟&gt; 已认领（03-02 10:00）。"),
        "{}",
        done.text
    );
    let again = gateway.client.post(ROUTE, &[("accept-language", "en-GB")], "").await;
    assert_eq!(again.status, 200);
    assert!(
        again.text.contains("It was done before: 张&lt;伟&gt; claimed the lead"),
        "{}",
        again.text
    );
    assert!(!again.text.contains("<form"));
    assert_eq!((records.count(), claims.count()), (1, 1));
    gateway.stop().await;
}

#[tokio::test]
async fn programs_get_json() {
    let gateway = Gateway::start().await;
    let (_, records) = has_link(&gateway, action(Kind::Ignore));
    let looked = gateway.client.send(Method::GET, ROUTE, &[JSON], "").await;
    assert_eq!(looked.json()["state"], "open");
    let done = gateway.client.post(ROUTE, &[JSON], "").await.json();
    assert_eq!(
        (&done["action"], &done["state"], &done["recipient"]),
        (&json!("ignore"), &json!("answered"), &json!("members/zhang.wei"))
    );
    assert_eq!(records.count(), 1, "nobody but notifications has to know");
    let wrong = gateway.client.post("/v1/actions/huadong.other", &[JSON], "").await;
    assert_eq!(
        (wrong.status, wrong.json()["reason"].clone()),
        (404, json!("NOT_FOUND"))
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_confirmed_call_is_recorded_in_the_recipients_name() {
    let gateway = Gateway::start().await;
    let (_, records) = has_link(&gateway, action(Kind::Confirm));
    let calls = gateway.leads.on(RECORD, |_, _, request: RecordFollowUpRequest| {
        let follow_up = request.follow_up.unwrap();
        assert_eq!(
            (follow_up.lead.as_str(), follow_up.member.as_str()),
            ("leads/1", "members/zhang.wei")
        );
        assert!(!request.request_id.is_empty());
        Ok(RecordFollowUpResponse::default())
    });
    assert_eq!(gateway.client.post(ROUTE, &[], "").await.status, 200);
    assert_eq!((calls.count(), records.count()), (1, 1));
    gateway.stop().await;
}

#[tokio::test]
async fn acknowledging_a_step_asks_leads_and_is_recorded_whatever_leads_has_moved_on_to() {
    for (answer, expected, recorded) in [
        (
            (|| Ok(AcknowledgeEscalationResponse { ladder_stopped: true }))
                as fn() -> Result<AcknowledgeEscalationResponse, Status>,
            200,
            1,
        ),
        (|| Err(status::wrong_state("told nothing")), 200, 1),
        (|| Err(Status::unavailable("away")), 503, 0),
    ] {
        let gateway = Gateway::start().await;
        let step = Action {
            template: "lead_escalated".into(),
            ..action(Kind::Ack)
        };
        let (_, records) = has_link(&gateway, step);
        gateway
            .leads
            .on(ACKNOWLEDGE, move |_, _, request: AcknowledgeEscalationRequest| {
                assert_eq!(
                    (request.name.as_str(), request.member.as_str()),
                    ("leads/1", "members/zhang.wei")
                );
                answer()
            });
        let done = gateway.client.post(ROUTE, &[], "").await;
        assert_eq!((done.status, records.count()), (expected, recorded));
        gateway.stop().await;
    }
}

#[tokio::test]
async fn what_leads_refuses_is_not_recorded() {
    for (answer, expected, said) in [
        (
            (|| Err(status::wrong_state("it is claimed"))) as fn() -> Result<ClaimLeadResponse, Status>,
            409,
            "无法完成",
        ),
        (|| Err(status::not_found("leads/1")), 409, "无法完成"),
        (|| Err(Status::unavailable("away")), 503, "请稍后再试"),
        (|| Err(status::unauthenticated("not ours")), 401, "请稍后再试"),
    ] {
        let gateway = Gateway::start().await;
        let (_, records) = has_link(&gateway, action(Kind::Claim));
        takes_claims(&gateway, answer);
        let refused = gateway.client.post(ROUTE, &[], "").await;
        assert_eq!(refused.status, expected);
        assert!(refused.text.contains(said), "{}", refused.text);
        assert_eq!(records.count(), 0, "the link can be used once it works");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn what_is_gone_says_so() {
    for (state, said) in [(State::Erased, "已按当事人的要求删除"), (State::Withdrawn, "已撤回")] {
        let gateway = Gateway::start().await;
        let gone = Action {
            state: state.into(),
            ..action(Kind::Claim)
        };
        let (_, records) = has_link(&gateway, gone);
        for method in [Method::GET, Method::POST] {
            let page = gateway.client.send(method, ROUTE, &[], "").await;
            assert_eq!(page.status, StatusCode::GONE);
            assert!(
                page.text.contains(said) && !page.text.contains("<form"),
                "{}",
                page.text
            );
        }
        assert_eq!(records.count(), 0);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn every_wrong_token_gets_the_same_page_and_many_of_them_a_rest() {
    let gateway = Gateway::start().await;
    let (looks, _) = has_link(&gateway, action(Kind::Ack));
    let mut pages = Vec::new();
    let long = format!("/v1/actions/huadong.{}", "a".repeat(1_000));
    for path in [
        "/v1/actions/x",
        "/v1/actions/.",
        "/v1/actions/huadong",
        "/v1/actions/HUADONG.AQID",
        "/v1/actions/huadong.%3Cscript%3E",
        "/v1/actions/huadong.%FF",
        &long,
    ] {
        pages.push(gateway.client.get(path).await);
    }
    assert_eq!(looks.count(), 0, "what is no token asks nobody");
    for number in 0..120 {
        pages.push(gateway.client.get(&format!("/v1/actions/huadong.{number}")).await);
    }
    for page in &pages {
        assert_eq!((page.status, &page.text), (404, &pages[0].text));
    }
    assert!(pages[0].text.contains("链接无效或已过期"));
    let asked = looks.count();
    let rest = gateway.client.get(ROUTE).await;
    assert_eq!((rest.status, looks.count()), (429, asked));
    assert!(rest.headers.contains_key("retry-after"));
    gateway.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(gateway.client.get(ROUTE).await.status, 200);
    gateway.stop().await;
}
