//! The nurture pool: what goes there, what comes back, and how many there are.

use jiff::SignedDuration;
use reflex_proto::leads::v1::{
    CloseLeadRequest, ExplainAssignmentRequest, ListNurtureRequest, ListNurtureResponse, NurtureLeadRequest,
    ReturnLeadRequest, lead,
};
use reflex_rpc::identity::Role;
use reflex_runtime::clock::Clock as _;
use reflex_testing::eventually;
use tonic::Status;

use crate::{
    gate::{COMPANIES, KEEN, staffed, strict},
    harness::{
        Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, REUSED, WRONG_STATE, assert_refused,
    },
};

impl Caller {
    async fn nurture_lead(&mut self, name: &str, reason: &str, request_id: &str) -> Result<lead::State, Status> {
        let request = NurtureLeadRequest {
            name: name.into(),
            reason: reason.into(),
            request_id: request_id.into(),
        };
        let response = self.nurture.nurture_lead(request).await?;
        Ok(response.into_inner().lead.unwrap().state())
    }

    async fn bring_back(&mut self, name: &str, request_id: &str) -> Result<lead::State, Status> {
        let request = ReturnLeadRequest {
            name: name.into(),
            reason: "客户来电".into(),
            request_id: request_id.into(),
        };
        let response = self.nurture.return_lead(request).await?;
        Ok(response.into_inner().lead.unwrap().state())
    }

    async fn kept(&mut self, request: ListNurtureRequest) -> Result<ListNurtureResponse, Status> {
        Ok(self.nurture.list_nurture(request).await?.into_inner())
    }

    async fn kept_names(&mut self) -> Vec<(String, String)> {
        let kept = self.kept(ListNurtureRequest::default()).await.unwrap();
        let of = |it: reflex_proto::leads::v1::KeptLead| (it.lead.unwrap().name, it.kept_for);
        kept.leads.into_iter().map(of).collect()
    }
}

fn open_leads(leads: &Leads) -> impl Future<Output = i32> + '_ {
    let query = "select open_leads from members where tenant_id = $1 and member_id = 'li'";
    async move {
        sqlx::query_scalar(query)
            .bind(HUADONG)
            .fetch_one(&leads.owner)
            .await
            .unwrap()
    }
}

/// Waits until the sweep under way has come to its end: what it looks at is looked at by the time of its steps.
async fn sweep_at_rest(leads: &Leads) {
    eventually("the sweep has come to its end", async || {
        let query = "select due_time > $1::timestamptz from timers where kind = 'gate_sweep'";
        let now = leads.clock.now().to_string();
        let rests: Option<bool> = sqlx::query_scalar(query)
            .bind(now)
            .fetch_optional(&leads.owner)
            .await
            .unwrap();
        rests.filter(|rests| *rests)
    })
    .await;
}

#[tokio::test]
async fn people_send_leads_away_and_bring_them_back() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    let name = admin.capture("苏州锻压").await;
    admin.wait_for_owner(&name, "members/li").await;
    assert_eq!(open_leads(&leads).await, 1);
    let id = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
    for _ in 0..2 {
        let state = admin.nurture_lead(&name, "明年再议", id).await.unwrap();
        assert_eq!(state, lead::State::Nurture, "also a retry");
    }
    assert_refused(admin.nurture_lead(&name, "别的", id).await, REUSED, "");
    assert_refused(admin.nurture_lead(&name, "x", "").await, WRONG_STATE, "nurture");
    assert_eq!(open_leads(&leads).await, 0, "its owner has room");
    let kept = admin.lead(&name).await;
    assert!(kept.owner.is_empty() && kept.claim_due_time.is_none() && kept.contact_due_time.is_none());
    assert_eq!(admin.kept_names().await, [(name.clone(), "manual".to_owned())]);
    // No step is taken of a ladder that stopped, and nobody picks what is kept.
    leads.advance(SignedDuration::from_hours(24 * 30));
    let other = admin.capture("另一条").await;
    admin.wait_for_owner(&other, "members/li").await;
    let escalated: i64 = sqlx::query_scalar("select count(*) from escalations")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(escalated, 0);

    assert_eq!(admin.bring_back(&name, "").await.unwrap(), lead::State::Queued);
    let routed = admin.wait_for_owner(&name, "members/li").await;
    let start = routed.return_time.unwrap().seconds;
    assert!(routed.contact_due_time.unwrap().seconds > start);
    assert_refused(admin.bring_back(&name, "").await, WRONG_STATE, "not kept");
    assert!(admin.kept_names().await.is_empty());
    let request = ExplainAssignmentRequest { name: name.clone() };
    let explained = admin.routing.explain_assignment(request).await.unwrap().into_inner();
    let mut kinds: Vec<&str> = explained.history.iter().map(|entry| entry.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["assigned", "assigned", "nurtured", "queued", "returned"]);
    assert_eq!(leads.told("reflex.leads.v1.LeadNurtured", &name).await, 1);
    assert_eq!(leads.told("reflex.leads.v1.LeadReturned", &name).await, 1);

    let close = CloseLeadRequest {
        name: other.clone(),
        outcome: lead::Outcome::Lost.into(),
        ..CloseLeadRequest::default()
    };
    admin.leads.close_lead(close).await.unwrap();
    assert_refused(admin.nurture_lead(&other, "x", "").await, WRONG_STATE, "closed");
    assert_refused(admin.nurture_lead(&name, &"长".repeat(501), "").await, INVALID, "");
}

#[tokio::test]
async fn what_nobody_works_on_is_nurtured_and_comes_back_when_something_is_seen_of_it() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    admin.companies(COMPANIES).await;
    let mut policy = strict();
    policy.enabled = false;
    policy.stale_after_days = 60;
    admin.put_gate(policy.clone()).await.unwrap();
    let name = admin.capture_mail("li@duanya.cn").await;
    admin.wait_for_owner(&name, "members/li").await;
    leads.advance(SignedDuration::from_hours(24 * 59));
    let young = admin.capture_mail("wang@duanya.cn").await;
    admin.wait_for_owner(&young, "members/li").await;
    sweep_at_rest(&leads).await;
    leads.advance(SignedDuration::from_hours(25));
    admin.wait_for_state(&name, lead::State::Nurture).await;
    assert_eq!(admin.kept_names().await, [(name.clone(), "stale".to_owned())]);
    assert_eq!(admin.lead(&young).await.state(), lead::State::Assigned);
    assert_eq!(open_leads(&leads).await, 1);
    let listed = admin.kept(ListNurtureRequest::default()).await.unwrap();
    assert_eq!(listed.unconverted_count, 1);
    let counts: Vec<_> = listed
        .counts
        .iter()
        .map(|it| (it.state(), it.kept_for.as_str(), it.count))
        .collect();
    assert_eq!(counts, [(lead::State::Nurture, "stale", 1)]);
    // The sweep of an hour later leaves it where it is, though the gate is off.
    leads.advance(SignedDuration::from_hours(2));
    policy.enabled = true;
    admin.put_gate(policy).await.unwrap();
    admin.saw(&leads, &name, &KEEN[..1]).await;
    admin.saw(&leads, &name, &KEEN[1..]).await;
    admin.wait_for_owner(&name, "members/li").await;
    assert!(admin.kept_names().await.is_empty());
}

#[tokio::test]
async fn the_pool_is_the_tenants_own_and_has_pages() {
    let leads = Leads::start().await;
    let (mut admin, mut other) = (staffed(&leads, HUADONG).await, staffed(&leads, HUABEI).await);
    let mut names = Vec::new();
    for company in ["甲", "乙", "丙"] {
        let name = admin.capture(company).await;
        admin.wait_for_owner(&name, "members/li").await;
        admin.nurture_lead(&name, "", "").await.unwrap();
        names.push(name);
    }
    let mut request = ListNurtureRequest {
        page_size: 2,
        ..ListNurtureRequest::default()
    };
    let page = admin.kept(request.clone()).await.unwrap();
    assert_eq!(page.leads.len(), 2);
    request.page_token.clone_from(&page.next_page_token);
    let rest = admin.kept(request.clone()).await.unwrap();
    assert_eq!((rest.leads.len(), rest.next_page_token.as_str()), (1, ""));
    assert_refused(other.kept(request.clone()).await, OTHER_PAGE, "");
    request.kept_for = "stale".into();
    assert_refused(admin.kept(request.clone()).await, OTHER_PAGE, "");
    request.page_token.clear();
    assert!(admin.kept(request.clone()).await.unwrap().leads.is_empty());
    request.kept_for = "whim".into();
    assert_refused(admin.kept(request.clone()).await, INVALID, "");
    request.kept_for.clear();
    request.state = lead::State::Queued.into();
    assert_refused(admin.kept(request).await, INVALID, "");
    assert!(
        other
            .kept(ListNurtureRequest::default())
            .await
            .unwrap()
            .leads
            .is_empty()
    );
    assert_refused(other.bring_back(&names[0], "").await, NOT_FOUND, "leads/");
    assert_refused(other.nurture_lead(&names[0], "", "").await, NOT_FOUND, "leads/");
    let mut sales = leads.caller(HUADONG, Role::Sales);
    assert_refused(sales.nurture_lead(&names[0], "", "").await, DENIED, "");
    assert_refused(sales.bring_back(&names[0], "").await, DENIED, "");
}
