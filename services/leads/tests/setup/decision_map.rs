//! Maps of who decides: due some time after the first contact, complete with minutes of each role, or overdue.

use std::time::Duration;

use jiff::SignedDuration;
use prost::Message as _;
use reflex_proto::leads::v1::{
    CloseLeadRequest, DataSubject, DecisionMap, DecisionMapPolicy, DecisionRole, EraseSubjectRequest, FollowUp,
    GetDecisionMapPolicyRequest, GetDecisionMapRequest, LeadDecisionMapOverdue, ListOverdueDecisionMapsRequest,
    PutDecisionMapPolicyRequest, PutDecisionRoleRequest, RecordFollowUpRequest, Team, follow_up, lead,
};
use reflex_rpc::identity::Role;
use reflex_testing::eventually;
use tonic::Status;
use uuid::Uuid;

use crate::{
    harness::{
        Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, REUSED, WRONG_STATE, assert_refused,
        member, team,
    },
    merging::merge,
};

const OVERDUE: &str = "reflex.leads.v1.LeadDecisionMapOverdue";
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn role(role: &str, minutes: &str) -> DecisionRole {
    DecisionRole {
        role: role.into(),
        person: "欧阳测试甲".into(),
        minutes: minutes.into(),
        member: "members/wang".into(),
        ..DecisionRole::default()
    }
}

impl Caller {
    async fn want_maps(&mut self, policy: DecisionMapPolicy) -> Result<DecisionMapPolicy, Status> {
        let request = PutDecisionMapPolicyRequest {
            policy: Some(policy),
            request_id: String::new(),
        };
        let response = self.maps.put_decision_map_policy(request).await?;
        Ok(response.into_inner().policy.unwrap())
    }

    async fn reach(&mut self, lead: &str, role: DecisionRole) -> Result<DecisionMap, Status> {
        let request = PutDecisionRoleRequest {
            lead: lead.into(),
            role: Some(role),
            request_id: String::new(),
        };
        let response = self.maps.put_decision_role(request).await?;
        Ok(response.into_inner().map.unwrap())
    }

    async fn map(&mut self, lead: &str) -> Result<DecisionMap, Status> {
        let request = GetDecisionMapRequest { lead: lead.into() };
        let response = self.maps.get_decision_map(request).await?;
        Ok(response.into_inner().map.unwrap())
    }

    async fn overdue(&mut self) -> Vec<String> {
        let request = ListOverdueDecisionMapsRequest::default();
        let response = self.maps.list_overdue_decision_maps(request).await.unwrap();
        response.into_inner().maps.into_iter().map(|map| map.lead).collect()
    }

    /// Captures a lead, waits for its owner, and records a call or a message.
    async fn contacted(&mut self, company: &str, kind: follow_up::Kind) -> String {
        let lead = self.capture(company).await;
        self.wait_for_owner(&lead, "members/wang").await;
        let follow_up = FollowUp {
            lead: lead.clone(),
            member: "members/wang".into(),
            kind: kind.into(),
            ..FollowUp::default()
        };
        let request = RecordFollowUpRequest {
            follow_up: Some(follow_up),
            request_id: String::new(),
        };
        self.follow_ups.record_follow_up(request).await.unwrap();
        lead
    }
}

/// Has a team with a supervisor that gets all leads, and maps of two roles.
async fn furnish(leads: &Leads) -> Caller {
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    admin.put_member(member("wang", "zhang")).await;
    admin.put_member(member("boss", "zhang")).await;
    let supervised = Team {
        supervisor: "members/boss".into(),
        ..team("zhang")
    };
    let request = reflex_proto::leads::v1::PutTeamRequest {
        team: Some(supervised),
        request_id: String::new(),
    };
    admin.directory.put_team(request).await.unwrap();
    let idle = reflex_proto::leads::v1::Member {
        capacity: 0,
        ..member("boss", "zhang")
    };
    admin.put_member(idle).await;
    admin.route_all_to("teams/zhang").await;
    admin
}

fn two_roles() -> DecisionMapPolicy {
    DecisionMapPolicy {
        enabled: true,
        roles: vec!["采购经理".into(), "老板".into()],
        ..DecisionMapPolicy::default()
    }
}

#[tokio::test]
async fn a_map_that_is_not_complete_after_a_day_is_overdue() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads).await;
    let without = admin.contacted("无策略", follow_up::Kind::Call).await;
    assert_refused(admin.map(&without).await, NOT_FOUND, "decision map");
    let policy = admin.want_maps(two_roles()).await.unwrap();
    assert_eq!(policy.within.unwrap().seconds, 86_400);
    let written = admin.contacted("只发消息", follow_up::Kind::Message).await;
    assert_refused(admin.map(&written).await, NOT_FOUND, "decision map");

    let late = admin.contacted("迟到", follow_up::Kind::Call).await;
    let done = admin.contacted("完成", follow_up::Kind::Visit).await;
    let closed = admin.contacted("关闭", follow_up::Kind::Call).await;
    let begun = admin.map(&late).await.unwrap();
    assert_eq!(begun.missing_roles, ["采购经理", "老板"]);
    let (start, due) = (begun.start_time.unwrap(), begun.due_time.unwrap());
    assert_eq!(due.seconds - start.seconds, 86_400);
    let half = admin.reach(&late, role("老板", "同意试用")).await.unwrap();
    assert_eq!(half.missing_roles, ["采购经理"]);
    let bare = admin.reach(&late, role("采购经理", "")).await.unwrap();
    assert_eq!(
        (bare.roles.len(), bare.missing_roles.as_slice()),
        (2, &["采购经理".to_owned()][..]),
        "no minutes"
    );
    admin.reach(&done, role("老板", "同意")).await.unwrap();
    let by_address = DecisionRole {
        minutes_url: "https://minutes.example/7".into(),
        ..role("采购经理", "")
    };
    let complete = admin.reach(&done, by_address).await.unwrap();
    assert!(complete.complete_time.is_some() && complete.missing_roles.is_empty());
    let close = CloseLeadRequest {
        name: closed.clone(),
        outcome: lead::Outcome::Lost.into(),
        ..CloseLeadRequest::default()
    };
    admin.leads.close_lead(close).await.unwrap();
    assert_refused(admin.reach(&closed, role("老板", "x")).await, WRONG_STATE, "closed");

    leads.advance(DAY - SignedDuration::from_secs(1));
    assert!(admin.overdue().await.is_empty());
    leads.advance(SignedDuration::from_secs(2));
    eventually("the map is overdue", async || {
        let mut admin = leads.admin(HUADONG);
        (admin.overdue().await == [late.clone()]).then_some(())
    })
    .await;
    eventually("all timers of maps have fired", async || {
        let left: i64 = sqlx::query_scalar("select count(*) from timers where kind = 'decision_map_due'")
            .fetch_one(&leads.owner)
            .await
            .unwrap();
        (left == 0).then_some(())
    })
    .await;
    assert_eq!(
        admin.overdue().await,
        std::slice::from_ref(&late),
        "neither what is complete nor what is closed"
    );
    assert_eq!(leads.told(OVERDUE, &late).await, 1);
    let data: Vec<u8> = sqlx::query_scalar("select data from outbox where kind = $1")
        .bind(OVERDUE)
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    let told = LeadDecisionMapOverdue::decode(data.as_slice()).unwrap();
    assert_eq!(
        (told.owner.as_str(), told.supervisor.as_str()),
        ("members/wang", "members/boss")
    );
    assert_eq!(told.missing_roles, ["采购经理"]);

    let late_map = admin.reach(&late, role("采购经理", "谈妥")).await.unwrap();
    assert!(late_map.complete_time.is_some() && late_map.overdue_time.is_some());
    assert!(admin.overdue().await.is_empty());
    assert!(leads.admin(HUABEI).overdue().await.is_empty());
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn what_is_sent_is_checked_and_kept_once() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads).await;
    let get = GetDecisionMapPolicyRequest {};
    assert_refused(admin.maps.get_decision_map_policy(get).await, NOT_FOUND, "policy");
    let usual = DecisionMapPolicy {
        enabled: true,
        ..DecisionMapPolicy::default()
    };
    assert_eq!(admin.want_maps(usual).await.unwrap().roles.len(), 4);
    let short = DecisionMapPolicy {
        within: Some(prost_types::Duration::try_from(Duration::from_secs(1)).unwrap()),
        ..two_roles()
    };
    assert_refused(admin.want_maps(short).await, INVALID, "within");
    admin.want_maps(two_roles()).await.unwrap();
    let name = admin.contacted("苏州锻压", follow_up::Kind::Call).await;
    let request = PutDecisionRoleRequest {
        lead: name.clone(),
        role: Some(role("老板", "同意试用")),
        request_id: Uuid::from_u128(7).to_string(),
    };
    for _ in 0..2 {
        let map = admin
            .maps
            .put_decision_role(request.clone())
            .await
            .unwrap()
            .into_inner()
            .map
            .unwrap();
        assert_eq!(map.roles.len(), 1);
    }
    let other = PutDecisionRoleRequest {
        role: Some(role("老板", "别的")),
        ..request
    };
    assert_refused(admin.maps.put_decision_role(other).await, REUSED, "");
    assert_refused(admin.reach(&name, role("司机", "x")).await, INVALID, "采购经理");
    let wrong = DecisionRole {
        minutes_url: "file:///x".into(),
        ..role("老板", "")
    };
    assert_refused(admin.reach(&name, wrong).await, INVALID, "minutes_url");
    let mut foreign = leads.admin(HUABEI);
    assert_refused(foreign.map(&name).await, NOT_FOUND, "leads/");
    assert_refused(foreign.reach(&name, role("老板", "x")).await, NOT_FOUND, "leads/");
    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    assert_refused(viewer.reach(&name, role("老板", "x")).await, DENIED, "followups.write");
    let mut sales = leads.caller(HUADONG, Role::Sales);
    assert_refused(sales.want_maps(two_roles()).await, DENIED, "decision_maps.write");

    let second = admin.contacted("无锡锻压", follow_up::Kind::Call).await;
    leads.advance(DAY * 2);
    eventually("both are overdue", async || {
        let mut admin = leads.admin(HUADONG);
        (admin.overdue().await.len() == 2).then_some(())
    })
    .await;
    let page = |page_token: &str| ListOverdueDecisionMapsRequest {
        page_size: 1,
        page_token: page_token.into(),
    };
    let first = admin
        .maps
        .list_overdue_decision_maps(page(""))
        .await
        .unwrap()
        .into_inner();
    let token = first.next_page_token;
    let last = admin
        .maps
        .list_overdue_decision_maps(page(&token))
        .await
        .unwrap()
        .into_inner();
    let mut listed = [first.maps[0].lead.clone(), last.maps[0].lead.clone()];
    listed.sort();
    let mut both = [name.clone(), second.clone()];
    both.sort();
    assert_eq!((listed, last.next_page_token.as_str()), (both, ""));
    assert_refused(
        foreign.maps.list_overdue_decision_maps(page(&token)).await,
        OTHER_PAGE,
        "",
    );

    // Of a merged lead the survivor shows whom either has reached; then somebody is erased.
    admin
        .reach(&second, role("采购经理", "联系 13812344321"))
        .await
        .unwrap();
    merge(&mut admin, &second, &name).await.unwrap();
    assert_eq!(
        admin.overdue().await,
        std::slice::from_ref(&second),
        "a merged lead asks for nothing"
    );
    let map = admin.map(&name).await.unwrap();
    assert_eq!(
        (map.lead.as_str(), map.roles.len(), map.missing_roles.len()),
        (second.as_str(), 2, 0)
    );
    let subject = DataSubject {
        lead: second,
        ..DataSubject::default()
    };
    admin
        .privacy
        .erase_subject(EraseSubjectRequest { subject: Some(subject) })
        .await
        .unwrap();
    let kept: i64 = sqlx::query_scalar("select count(*) from decision_roles where person <> '' or minutes <> ''")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(kept, 0);
}
