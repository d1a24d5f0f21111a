//! The gate: what passes, what waits, what is nurtured, and what happens when sources are out and come back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::SignedDuration;
use reflex_proto::leads::v1::{
    CaptureLeadRequest, EvaluateGateRequest, ExplainGateRequest, ExplainGateResponse, GateImport, GatePolicy,
    GateVerdict, GetGatePolicyRequest, GetLeadRequest, ImportCompaniesRequest, ImportCompetitorVisitsRequest, Lead,
    LeadFact, ListGateImportsRequest, ListNurtureRequest, NewLead, PutGatePolicyRequest, RecordLeadFactsRequest,
    ReturnLeadRequest, UndoGateImportRequest, Verdict, gate_import, gate_policy,
    gate_verdict::{Criterion, Truth},
    lead,
    validity::Label,
};
use reflex_rpc::identity::Role;
use reflex_runtime::clock::Clock as _;
use reflex_testing::eventually;
use tonic::Status;
use uuid::Uuid;

use crate::harness::{
    Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, REUSED, WRONG_STATE, assert_refused, member,
};

pub(crate) const COMPANIES: &str =
    "域名,公司,行业代码\nduanya.cn,苏州锻压机床有限公司,C3421\nmaoyi.cn,宁波远洋贸易有限公司,F5162\n";
pub(crate) const VISITS: &str = "访客,竞品,访问时间\nzhao@duanya.cn,rival.com,2026-02-20 08:00\n";

impl Caller {
    pub(crate) async fn put_gate(&mut self, policy: GatePolicy) -> Result<GatePolicy, Status> {
        let request = PutGatePolicyRequest {
            policy: Some(policy),
            request_id: String::new(),
        };
        Ok(self.gate.put_gate_policy(request).await?.into_inner().policy.unwrap())
    }

    pub(crate) async fn companies(&mut self, csv: &str) -> GateImport {
        let request = ImportCompaniesRequest {
            csv: csv.into(),
            ..ImportCompaniesRequest::default()
        };
        self.gate
            .import_companies(request)
            .await
            .unwrap()
            .into_inner()
            .import
            .unwrap()
    }

    async fn visits(&mut self, csv: &str) -> GateImport {
        let request = ImportCompetitorVisitsRequest {
            csv: csv.into(),
            ..ImportCompetitorVisitsRequest::default()
        };
        let response = self.gate.import_competitor_visits(request).await.unwrap();
        response.into_inner().import.unwrap()
    }

    /// Captures a lead of somebody with a mail address.
    pub(crate) async fn capture_mail(&mut self, email: &str) -> String {
        let lead = NewLead {
            source: "website".into(),
            external_id: email.into(),
            company: format!("{email} 的公司"),
            email: email.into(),
            ..NewLead::default()
        };
        let request = CaptureLeadRequest {
            lead: Some(lead),
            request_id: String::new(),
        };
        self.leads.capture_lead(request).await.unwrap().into_inner().name
    }

    pub(crate) async fn saw(&mut self, leads: &Leads, lead: &str, facts: &[(&str, &str, i64)]) {
        let now = leads.clock.now();
        let fact = |(kind, object, seconds): &(&str, &str, i64)| LeadFact {
            id: id_of(&format!("{lead}{kind}{object}{seconds}{now}")),
            kind: (*kind).into(),
            object: (*object).into(),
            occur_time: Some(prost_types::Timestamp {
                seconds: now.as_second(),
                nanos: 0,
            }),
            duration: (*seconds > 0).then_some(prost_types::Duration {
                seconds: *seconds,
                nanos: 0,
            }),
        };
        let request = RecordLeadFactsRequest {
            lead: lead.into(),
            facts: facts.iter().map(fact).collect(),
            request_id: String::new(),
        };
        self.tags.record_lead_facts(request).await.unwrap();
    }

    pub(crate) async fn wait_for_state(&self, name: &str, state: lead::State) -> Lead {
        let leads = &self.leads;
        eventually(&format!("{name} is {state:?}"), async || {
            let request = GetLeadRequest { name: name.into() };
            let found = leads.clone().get_lead(request).await.unwrap().into_inner();
            found.lead.filter(|lead| lead.state() == state)
        })
        .await
    }

    /// Reads a lead through a shared caller.
    pub(crate) async fn peek(&self, name: &str) -> Lead {
        let request = GetLeadRequest { name: name.into() };
        let found = self.leads.clone().get_lead(request).await.unwrap();
        found.into_inner().lead.unwrap()
    }

    async fn peek_gate(&self, name: &str) -> ExplainGateResponse {
        let request = ExplainGateRequest { lead: name.into() };
        self.gate.clone().explain_gate(request).await.unwrap().into_inner()
    }

    async fn evaluate(&mut self, lead: &str, policy: Option<GatePolicy>) -> Result<GateVerdict, Status> {
        let request = EvaluateGateRequest {
            lead: lead.into(),
            policy,
        };
        Ok(self.gate.evaluate_gate(request).await?.into_inner().verdict.unwrap())
    }

    pub(crate) async fn explain(&mut self, lead: &str) -> Result<ExplainGateResponse, Status> {
        let request = ExplainGateRequest { lead: lead.into() };
        Ok(self.gate.explain_gate(request).await?.into_inner())
    }
}

/// Makes an id that is the same for the same text.
fn id_of(text: &str) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, text).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    Uuid::from_u128(half(1) << 64 | half(2)).to_string()
}

/// A gate that lets nothing pass of which it does not know all.
pub(crate) fn strict() -> GatePolicy {
    GatePolicy {
        enabled: true,
        competitors: Some(gate_policy::Competitors {
            domains: vec!["rival.com".into()],
            ..gate_policy::Competitors::default()
        }),
        ..GatePolicy::default()
    }
}

fn asking_http(on_unknown: gate_policy::OutagePolicy) -> GatePolicy {
    GatePolicy {
        industry: Some(gate_policy::Industry {
            source: gate_policy::Source::Http.into(),
            on_unknown: on_unknown.into(),
            ..gate_policy::Industry::default()
        }),
        ..strict()
    }
}

/// What makes the first and the third part true.
pub(crate) const KEEN: [(&str, &str, i64); 3] = [
    ("page_viewed", "https://huakang.cn/成功案例/3", 120),
    ("page_viewed", "https://huakang.cn/products", 90),
    ("referred", "https://www.baidu.com/s?wd=锻压机床", 0),
];

pub(crate) async fn staffed(leads: &Leads, tenant: &str) -> Caller {
    let mut admin = leads.admin(tenant);
    admin.put_team("zhang").await;
    admin.put_member(member("li", "zhang")).await;
    admin.route_all_to("teams/zhang").await;
    admin
}

fn truths(verdict: &GateVerdict) -> Vec<(Criterion, Truth, &str)> {
    let part = |part: &reflex_proto::leads::v1::gate_verdict::SubVerdict| (part.criterion(), part.truth());
    let whys = verdict.sub_verdicts.iter().map(|part| part.unknown.as_str());
    let parts = verdict.sub_verdicts.iter().map(part);
    parts
        .zip(whys)
        .map(|((criterion, truth), why)| (criterion, truth, why))
        .collect()
}

#[tokio::test]
async fn without_a_gate_every_lead_passes_and_nothing_is_kept() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    assert_refused(
        admin.gate.get_gate_policy(GetGatePolicyRequest {}).await,
        NOT_FOUND,
        "gate policy",
    );
    let name = admin.capture_mail("li@qq.com").await;
    admin.wait_for_owner(&name, "members/li").await;
    assert_eq!(leads.told("reflex.leads.v1.LeadGated", &name).await, 0);
    let verdict = admin.evaluate(&name, None).await.unwrap();
    assert_eq!((verdict.verdict(), verdict.policy_version), (Verdict::Pass, 0));
    let explained = admin.explain(&name).await.unwrap();
    assert_eq!((explained.verdict, explained.history.len()), (None, 0));
    // What a draft would say.
    let verdict = admin.evaluate(&name, Some(strict())).await.unwrap();
    assert_eq!(verdict.verdict(), Verdict::Nurture);
    assert_eq!(truths(&verdict)[1], (Criterion::Industry, Truth::False, ""));
}

#[tokio::test]
async fn a_lead_waits_for_what_is_unknown_and_passes_when_that_is_known() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    admin.companies(COMPANIES).await;
    let stored = admin.put_gate(strict()).await.unwrap();
    assert_eq!(stored.version, 1);
    assert_eq!(
        admin.put_gate(strict()).await.unwrap(),
        stored,
        "the same is no new version"
    );
    let name = admin.capture_mail("li@mail.duanya.cn").await;
    let held = admin.wait_for_state(&name, lead::State::Held).await;
    assert!(held.owner.is_empty() && held.contact_due_time.is_none() && held.claim_due_time.is_none());
    let explained = admin.explain(&name).await.unwrap();
    let verdict = explained.verdict.clone().unwrap();
    assert_eq!(
        truths(&verdict),
        [
            (Criterion::Behaviour, Truth::Unknown, "no_data"),
            (Criterion::Industry, Truth::True, ""),
            (Criterion::NoCompetitor, Truth::Unknown, "no_data")
        ]
    );
    assert_eq!(
        (verdict.verdict(), verdict.company_version, verdict.by_policy),
        (Verdict::Hold, 1, false)
    );
    assert_eq!(explained.kept_for, "gate");
    assert!(explained.hold_until.is_some());
    assert!(
        verdict.sub_verdicts[1].evidence[0].zh.contains("苏州锻压机床有限公司"),
        "{verdict:?}"
    );

    admin.saw(&leads, &name, &KEEN[..1]).await;
    eventually("the lead was judged again and is nurtured", async || {
        let state = admin.peek(&name).await.state();
        (state == lead::State::Nurture).then_some(())
    })
    .await;
    leads.clock.advance(SignedDuration::from_mins(90));
    admin.saw(&leads, &name, &KEEN[1..]).await;
    let routed = admin.wait_for_owner(&name, "members/li").await;
    let start = routed.return_time.unwrap().seconds;
    assert_eq!(start, leads.clock.now().as_second());
    assert!(
        routed.contact_due_time.unwrap().seconds > start,
        "the contact clock starts with the return"
    );
    let explained = admin.explain(&name).await.unwrap();
    assert_eq!(
        (explained.verdict.unwrap().verdict(), explained.kept_for.as_str()),
        (Verdict::Pass, "")
    );
    let kinds: Vec<&str> = explained.history.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["gated", "gated", "nurtured", "gated", "returned"]);
    assert_eq!(leads.told("reflex.leads.v1.LeadGated", &name).await, 3);
    assert_eq!(leads.told("reflex.leads.v1.LeadReturned", &name).await, 1);
    assert_eq!(leads.told("reflex.leads.v1.LeadAssigned", &name).await, 1);
}

#[tokio::test]
async fn what_the_lists_say_decides_also_about_leads_that_are_nurtured() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    let mut policy = strict();
    policy.behaviour = Some(gate_policy::Behaviour {
        on_unknown: gate_policy::OutagePolicy::Pass.into(),
        ..gate_policy::Behaviour::default()
    });
    admin.put_gate(policy).await.unwrap();
    let wrong = "域名,公司,行业代码\nduanya.cn,苏州锻压机床有限公司,F51\n";
    assert_eq!(admin.companies(wrong).await.version, 1);
    assert_eq!(admin.visits(VISITS).await.version, 1);
    let (li, zhao) = (
        admin.capture_mail("li@duanya.cn").await,
        admin.capture_mail("zhao@duanya.cn").await,
    );
    for name in [&li, &zhao] {
        admin.wait_for_state(name, lead::State::Nurture).await;
    }
    // The right list lets the one pass; the other one visited a competitor.
    let import = admin.companies(COMPANIES).await;
    assert_eq!((import.version, import.row_count, import.active), (2, 2, true));
    admin.wait_for_owner(&li, "members/li").await;
    let verdict = admin.explain(&li).await.unwrap().verdict.unwrap();
    assert!(verdict.by_policy, "an unknown part is never passed silently");
    assert_eq!(verdict.sub_verdicts[0].counted_as(), Truth::True);
    assert_eq!(admin.lead(&zhao).await.state(), lead::State::Nurture);
    // The visit is too long ago some day; the sweep of the hour finds out, with a list that is young enough.
    leads.advance(SignedDuration::from_hours(31 * 24));
    admin
        .visits("访客,竞品,访问时间\nzhao@duanya.cn,rival.com,2026-02-20 08:00\n")
        .await;
    leads.advance(SignedDuration::from_mins(61));
    admin.wait_for_owner(&zhao, "members/li").await;
}

#[tokio::test]
async fn an_import_that_is_taken_back_is_as_if_it_had_not_been() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    admin.companies(COMPANIES).await;
    let wrong = admin
        .companies("domain,company,industry_code\nduanya.cn,错,F51\n")
        .await;
    let undo = |version, request_id: &str| UndoGateImportRequest {
        kind: gate_import::Kind::Companies.into(),
        version,
        request_id: request_id.into(),
    };
    let request_id = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
    let undone = admin
        .gate
        .undo_gate_import(undo(wrong.version, request_id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(undone.active_version, 1);
    let again = admin
        .gate
        .undo_gate_import(undo(wrong.version, request_id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, undone, "a retry is answered the same");
    assert_refused(admin.gate.undo_gate_import(undo(1, request_id)).await, REUSED, "");
    assert_refused(
        admin.gate.undo_gate_import(undo(2, "")).await,
        WRONG_STATE,
        "taken back",
    );
    assert_refused(admin.gate.undo_gate_import(undo(9, "")).await, NOT_FOUND, "version 9");
    let list = ListGateImportsRequest {
        kind: gate_import::Kind::Companies.into(),
        ..ListGateImportsRequest::default()
    };
    let listed = admin.gate.list_gate_imports(list).await.unwrap().into_inner().imports;
    let active: Vec<_> = listed
        .iter()
        .map(|it| (it.version, it.active, it.undo_time.is_some()))
        .collect();
    assert_eq!(active, [(2, false, true), (1, true, false)]);
    let name = admin.capture_mail("li@duanya.cn").await;
    let verdict = admin.evaluate(&name, Some(strict())).await.unwrap();
    assert_eq!((truths(&verdict)[1].1, verdict.company_version), (Truth::True, 1));
}

#[tokio::test]
async fn a_list_that_is_too_old_is_unknown_and_not_false() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    admin.companies(COMPANIES).await;
    admin.visits(VISITS).await;
    let name = admin.capture_mail("li@maoyi.cn").await;
    let verdict = admin.evaluate(&name, Some(strict())).await.unwrap();
    let found: Vec<Truth> = truths(&verdict).iter().map(|part| part.1).collect();
    assert_eq!(found, [Truth::Unknown, Truth::False, Truth::True]);
    leads.clock.advance(SignedDuration::from_hours(8 * 24));
    let verdict = admin.evaluate(&name, Some(strict())).await.unwrap();
    assert_eq!(truths(&verdict)[2], (Criterion::NoCompetitor, Truth::Unknown, "stale"));
    let mut brief = strict();
    brief.industry = Some(gate_policy::Industry {
        max_age: Some(prost_types::Duration {
            seconds: 7 * 86_400,
            nanos: 0,
        }),
        ..gate_policy::Industry::default()
    });
    let verdict = admin.evaluate(&name, Some(brief)).await.unwrap();
    assert_eq!(truths(&verdict)[1], (Criterion::Industry, Truth::Unknown, "stale"));
    assert_eq!(verdict.verdict(), Verdict::Hold);
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    let mut policy = strict();
    policy.max_hold = Some(prost_types::Duration {
        seconds: 3_600,
        nanos: 0,
    });
    admin.put_gate(policy.clone()).await.unwrap();
    let name = admin.capture_mail("li@duanya.cn").await;
    admin.wait_for_state(&name, lead::State::Held).await;
    leads.advance(SignedDuration::from_mins(61));
    admin.wait_for_state(&name, lead::State::Nurture).await;
    let explained = admin.explain(&name).await.unwrap();
    assert_eq!(explained.kept_for, "hold_over");
    assert!(explained.verdict.unwrap().hold_over);
    policy.after_hold = Verdict::Pass.into();
    admin.put_gate(policy.clone()).await.unwrap();
    let second = admin.capture_mail("wang@duanya.cn").await;
    admin.wait_for_state(&second, lead::State::Held).await;
    leads.advance(SignedDuration::from_mins(61));
    admin.wait_for_owner(&second, "members/li").await;
    assert!(admin.explain(&second).await.unwrap().verdict.unwrap().by_policy);
    // Whoever turns the gate off gets everything it keeps.
    policy.enabled = false;
    admin.put_gate(policy).await.unwrap();
    admin.wait_for_owner(&name, "members/li").await;
}

/// A registry that can be out.
#[derive(Clone, Default)]
struct Registry {
    listed: Arc<Mutex<HashMap<String, &'static str>>>,
    out: Arc<Mutex<bool>>,
}

async fn company(State(registry): State<Registry>, Path(domain): Path<String>) -> Response {
    if *registry.out.lock().unwrap() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match registry.listed.lock().unwrap().get(&domain) {
        Some(code) => format!(r#"{{"company": "{domain} 公司", "industry_code": "{code}"}}"#).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn serve(registry: &Registry) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new()
        .route("/companies/{domain}", get(company))
        .with_state(registry.clone());
    #[expect(clippy::disallowed_methods, reason = "lives as long as the test")]
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("[company_registry]\nurl = 'http://{address}'\n")
}

#[tokio::test]
async fn while_the_registry_is_out_leads_wait_and_pass_when_it_is_back() {
    let registry = Registry::default();
    let leads = Leads::start_with(&serve(&registry).await).await;
    registry.listed.lock().unwrap().insert("duanya.cn".into(), "C3421");
    let mut admin = staffed(&leads, HUADONG).await;
    admin.visits(VISITS).await;
    let mut policy = asking_http(gate_policy::OutagePolicy::Hold);
    policy.behaviour = Some(gate_policy::Behaviour {
        on_unknown: gate_policy::OutagePolicy::Pass.into(),
        ..gate_policy::Behaviour::default()
    });
    admin.put_gate(policy.clone()).await.unwrap();
    // Asked, answered, kept.
    let first = admin.capture_mail("li@duanya.cn").await;
    admin.wait_for_owner(&first, "members/li").await;
    *registry.out.lock().unwrap() = true;
    let known = admin.capture_mail("wang@duanya.cn").await;
    admin.wait_for_owner(&known, "members/li").await;
    let waiting = admin.capture_mail("chen@xinchang.cn").await;
    eventually("the outage is on record", async || {
        let explained = admin.peek_gate(&waiting).await;
        (truths(&explained.verdict?)[1].2 == "down").then_some(())
    })
    .await;
    assert_eq!(admin.lead(&waiting).await.state(), lead::State::Held);
    // The other policies, by a draft: never silently.
    for (outage, expected) in [
        (gate_policy::OutagePolicy::Pass, Verdict::Pass),
        (gate_policy::OutagePolicy::Nurture, Verdict::Nurture),
    ] {
        let mut draft = policy.clone();
        draft.industry = asking_http(outage).industry;
        let verdict = admin.evaluate(&waiting, Some(draft)).await.unwrap();
        assert_eq!((verdict.verdict(), verdict.by_policy), (expected, true), "{outage:?}");
    }
    registry.listed.lock().unwrap().insert("xinchang.cn".into(), "C3484");
    *registry.out.lock().unwrap() = false;
    leads.advance(SignedDuration::from_mins(1));
    admin.wait_for_owner(&waiting, "members/li").await;
    let verdict = admin.explain(&waiting).await.unwrap().verdict.unwrap();
    assert_eq!(truths(&verdict)[1], (Criterion::Industry, Truth::True, ""));
}

#[tokio::test]
async fn gates_and_lists_are_the_tenants_own() {
    let leads = Leads::start().await;
    let (mut admin, mut other) = (staffed(&leads, HUADONG).await, staffed(&leads, HUABEI).await);
    admin.companies(COMPANIES).await;
    admin.put_gate(strict()).await.unwrap();
    let theirs = other.capture_mail("li@duanya.cn").await;
    other.wait_for_owner(&theirs, "members/li").await;
    assert_refused(admin.evaluate(&theirs, None).await, NOT_FOUND, "leads/");
    assert_refused(admin.explain(&theirs).await, NOT_FOUND, "leads/");
    let verdict = other.evaluate(&theirs, Some(strict())).await.unwrap();
    assert_eq!(
        (truths(&verdict)[1].2, verdict.company_version),
        ("down", 0),
        "another's list says nothing"
    );
    let mut sales = leads.caller(HUADONG, Role::Sales);
    assert_refused(sales.put_gate(strict()).await, DENIED, "");
    let mut policy = strict();
    policy.after_hold = Verdict::Hold.into();
    policy.stale_after_days = -1;
    assert_refused(admin.put_gate(policy).await, INVALID, "2 fields");
    let request = ImportCompaniesRequest {
        csv: b"domain,company,industry_code\nnone,x,y\n".to_vec(),
        ..ImportCompaniesRequest::default()
    };
    assert_refused(admin.gate.import_companies(request).await, INVALID, "");
}

#[tokio::test]
async fn what_looks_like_no_lead_is_noted_or_set_aside_and_comes_back() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    let mut policy = GatePolicy {
        screening: gate_policy::Screening::Label.into(),
        ..GatePolicy::default()
    };
    admin.put_gate(policy.clone()).await.unwrap();
    let noted = admin.capture_mail("x1@mailinator.com").await;
    admin.wait_for_owner(&noted, "members/li").await;
    let validity = admin.explain(&noted).await.unwrap().validity.unwrap();
    assert_eq!(validity.label(), Label::Invalid);
    assert_eq!(
        (validity.reasons[0].code.as_str(), validity.reasons[0].zh.as_str()),
        ("mail_disposable", "一次性邮箱")
    );

    policy.screening = gate_policy::Screening::SetAside.into();
    admin.put_gate(policy).await.unwrap();
    let real = admin.capture_mail("li@duanya.cn").await;
    admin.wait_for_owner(&real, "members/li").await;
    assert!(
        admin.explain(&real).await.unwrap().validity.is_none(),
        "nothing speaks against it"
    );
    let none = admin.capture_mail("x2@mailinator.com").await;
    let set_aside = admin.wait_for_state(&none, lead::State::SetAside).await;
    assert!(set_aside.owner.is_empty() && set_aside.contact_due_time.is_none());
    assert_eq!(leads.told("reflex.leads.v1.LeadSetAside", &none).await, 1);
    let request = ListNurtureRequest {
        state: lead::State::SetAside.into(),
        ..ListNurtureRequest::default()
    };
    let listed = admin.nurture.list_nurture(request).await.unwrap().into_inner();
    let kept: Vec<_> = listed
        .leads
        .iter()
        .map(|it| (it.kept_for.as_str(), it.summary.as_str()))
        .collect();
    assert_eq!(kept, [("invalid", "mail_disposable")]);
    // Sweeps and facts leave it to people.
    admin.saw(&leads, &none, &KEEN).await;
    leads.advance(SignedDuration::from_hours(2));
    let request = ReturnLeadRequest {
        name: none.clone(),
        ..ReturnLeadRequest::default()
    };
    admin.nurture.return_lead(request).await.unwrap();
    admin.wait_for_owner(&none, "members/li").await;
}
