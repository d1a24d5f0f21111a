//! Versions of the policy: drafts, activation, the way back.

use reflex_proto::leads::v1::{
    ActivateRoutingPolicyRequest, ActivateRoutingPolicyResponse, CheckRoutingPolicyRequest, ExplainAssignmentRequest,
    GetRoutingPolicyRequest, ListRoutingPoliciesRequest, ListRoutingPolicyActivationsRequest, PutRoutingPolicyRequest,
    PutRoutingPolicyResponse, RoutingPolicy, RoutingPolicyFinding, routing_policy, routing_policy_finding::Code,
    routing_policy_version::State,
};
use reflex_rpc::identity::Role;
use tonic::{Response, Status};

use crate::harness::{Caller, DENIED, HUABEI, HUADONG, Leads, NOT_FOUND, REUSED, assert_refused, member};

const ONE: &str = "0190f3b2-0000-7000-8000-000000000001";

pub(crate) fn entry(when: &str, team: &str) -> routing_policy::Entry {
    routing_policy::Entry {
        when: when.into(),
        team: format!("teams/{team}"),
        ..routing_policy::Entry::default()
    }
}

pub(crate) fn policy(entries: &[routing_policy::Entry]) -> RoutingPolicy {
    RoutingPolicy {
        entries: entries.to_vec(),
        ..RoutingPolicy::default()
    }
}

pub(crate) fn to_team(team: &str) -> RoutingPolicy {
    policy(&[entry("", team)])
}

impl Caller {
    /// Stores a draft and returns its version with the codes of what speaks against it.
    pub(crate) async fn draft(&mut self, policy: RoutingPolicy) -> (i32, Vec<Code>) {
        let stored = self.put(policy, true, "").await.unwrap();
        let codes = stored.findings.iter().map(RoutingPolicyFinding::code).collect();
        (stored.policy.unwrap().version, codes)
    }

    pub(crate) async fn put(
        &mut self,
        policy: RoutingPolicy,
        draft: bool,
        note: &str,
    ) -> Result<PutRoutingPolicyResponse, Status> {
        let request = PutRoutingPolicyRequest {
            policy: Some(policy),
            draft,
            note: note.into(),
            ..PutRoutingPolicyRequest::default()
        };
        self.routing.put_routing_policy(request).await.map(Response::into_inner)
    }

    pub(crate) async fn activate(&mut self, version: i32, note: &str) -> Result<ActivateRoutingPolicyResponse, Status> {
        let request = ActivateRoutingPolicyRequest {
            version,
            note: note.into(),
            ..ActivateRoutingPolicyRequest::default()
        };
        self.routing
            .activate_routing_policy(request)
            .await
            .map(Response::into_inner)
    }

    /// Returns the active version.
    pub(crate) async fn active(&mut self) -> i32 {
        let request = GetRoutingPolicyRequest { version: 0 };
        let found = self.routing.get_routing_policy(request).await.unwrap().into_inner();
        found.policy.unwrap().version
    }

    /// Returns every version with its state, newest first.
    async fn states(&mut self) -> Vec<(i32, State)> {
        let request = ListRoutingPoliciesRequest::default();
        let listed = self.routing.list_routing_policies(request).await.unwrap().into_inner();
        listed.versions.iter().map(|it| (it.version, it.state())).collect()
    }

    /// Returns which version followed which, latest first.
    pub(crate) async fn activations(&mut self) -> Vec<(i32, i32)> {
        let request = ListRoutingPolicyActivationsRequest::default();
        let listed = self.routing.list_routing_policy_activations(request).await.unwrap();
        let pairs = listed.into_inner().activations;
        pairs.iter().map(|it| (it.version, it.previous_version)).collect()
    }

    /// Returns the policy version of each decision about a lead.
    async fn decided_by(&mut self, lead: &str) -> Vec<i32> {
        let request = ExplainAssignmentRequest { name: lead.into() };
        let explained = self.routing.explain_assignment(request).await.unwrap().into_inner();
        explained
            .decisions
            .iter()
            .map(|decision| decision.policy_version)
            .collect()
    }
}

/// Starts a service with two teams of one person each.
pub(crate) async fn two_teams() -> (Leads, Caller) {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    for (who, team) in [("wang", "zhang"), ("sun", "li")] {
        admin.put_team(team).await;
        admin.put_member(member(who, team)).await;
    }
    (leads, admin)
}

#[tokio::test]
async fn a_draft_waits_until_it_is_activated_and_an_earlier_version_comes_back() {
    let (leads, mut admin) = two_teams().await;
    admin.put(to_team("zhang"), false, "第一版").await.unwrap();
    let setup = leads.version(HUADONG).await;
    let (draft, found) = admin.draft(to_team("li")).await;
    assert_eq!((draft, found), (2, Vec::new()));
    assert_eq!(
        leads.version(HUADONG).await,
        setup,
        "a draft changes nothing for routing"
    );
    assert_eq!(admin.active().await, 1);
    let first = admin.capture("一院").await;
    admin.wait_for_owner(&first, "members/wang").await;

    let activated = admin.activate(2, "华东换组").await.unwrap();
    let version = activated.version.unwrap();
    assert_eq!((version.state(), activated.previous_version), (State::Active, 1));
    let second = admin.capture("二院").await;
    admin.wait_for_owner(&second, "members/sun").await;

    admin.activate(1, "换回").await.unwrap();
    let third = admin.capture("三院").await;
    admin.wait_for_owner(&third, "members/wang").await;
    for (lead, version) in [(&first, 1), (&second, 2), (&third, 1)] {
        assert_eq!(admin.decided_by(lead).await, [version], "a decision keeps its version");
    }
    admin.draft(to_team("none-yet")).await;
    let expected = [(3, State::Draft), (2, State::Retired), (1, State::Active)];
    assert_eq!(admin.states().await, expected);
    assert_eq!(admin.activations().await, [(1, 2), (2, 1), (1, 0)]);

    let request = ListRoutingPolicyActivationsRequest::default();
    let listed = admin
        .routing
        .list_routing_policy_activations(request)
        .await
        .unwrap()
        .into_inner();
    let (latest, oldest) = (&listed.activations[0], &listed.activations[2]);
    assert_eq!((latest.actor.as_str(), latest.note.as_str()), ("tests", "换回"));
    assert_eq!(oldest.note, "第一版");
    assert!(latest.activate_time.is_some());
    let request = GetRoutingPolicyRequest { version: 1 };
    let info = admin
        .routing
        .get_routing_policy(request)
        .await
        .unwrap()
        .into_inner()
        .version
        .unwrap();
    assert_eq!((info.author.as_str(), info.note.as_str()), ("tests", "第一版"));
    assert_eq!((info.entry_count, info.activation_count), (1, 2));
}

#[tokio::test]
async fn waiting_leads_are_routed_anew_by_what_becomes_active() {
    let (_leads, mut admin) = two_teams().await;
    admin
        .put(policy(&[entry("来源 = '展会'", "zhang")]), false, "")
        .await
        .unwrap();
    let lead = admin.capture("一院").await;
    admin.wait_for_owner(&lead, "").await;
    let (draft, _) = admin.draft(to_team("li")).await;
    admin.activate(draft, "").await.unwrap();
    admin.wait_for_owner(&lead, "members/sun").await;
    assert_eq!(admin.decided_by(&lead).await, [1, 2]);
}

#[tokio::test]
async fn what_says_the_same_is_no_new_version() {
    let (_leads, mut admin) = two_teams().await;
    let (draft, _) = admin.draft(to_team("zhang")).await;
    assert_eq!(admin.draft(to_team("zhang")).await.0, draft);
    let noted = admin
        .put(to_team("zhang"), true, "另有说明")
        .await
        .unwrap()
        .policy
        .unwrap();
    assert_eq!(noted.version, 2, "another note makes another version");
    let put = admin.put(to_team("zhang"), false, "").await.unwrap().policy.unwrap();
    assert_eq!(put.version, 2, "the newest draft becomes active");
    assert_eq!(
        admin.draft(to_team("zhang")).await.0,
        2,
        "as does nothing beside the active one"
    );
    assert_eq!(admin.draft(to_team("li")).await.0, 3);
    assert_eq!(admin.draft(to_team("zhang")).await.0, 2);
    admin.activate(2, "").await.unwrap();
    assert_eq!(
        admin.activations().await,
        [(2, 0)],
        "what is active is not activated again"
    );
}

#[tokio::test]
async fn a_retry_is_safe_and_another_tenant_sees_nothing() {
    let (leads, mut admin) = two_teams().await;
    let put = PutRoutingPolicyRequest {
        policy: Some(to_team("zhang")),
        draft: true,
        request_id: ONE.into(),
        ..PutRoutingPolicyRequest::default()
    };
    let stored = admin
        .routing
        .put_routing_policy(put.clone())
        .await
        .unwrap()
        .into_inner();
    let again = admin
        .routing
        .put_routing_policy(put.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stored, again);
    let other = PutRoutingPolicyRequest { draft: false, ..put };
    assert_refused(admin.routing.put_routing_policy(other).await, REUSED, "request_id");

    let activate = ActivateRoutingPolicyRequest {
        version: 1,
        request_id: ONE.into(),
        ..ActivateRoutingPolicyRequest::default()
    };
    let first = admin
        .routing
        .activate_routing_policy(activate.clone())
        .await
        .unwrap()
        .into_inner();
    admin.draft(to_team("li")).await;
    admin.activate(2, "").await.unwrap();
    let again = admin
        .routing
        .activate_routing_policy(activate.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, again, "the answer of then, and nothing is done again");
    assert_eq!(admin.active().await, 2);
    let other = ActivateRoutingPolicyRequest { version: 2, ..activate };
    assert_refused(admin.routing.activate_routing_policy(other).await, REUSED, "request_id");

    let mut stranger = leads.admin(HUABEI);
    assert_refused(stranger.activate(1, "").await, NOT_FOUND, "version 1");
    assert_eq!(
        (stranger.states().await, stranger.activations().await),
        (Vec::new(), Vec::new())
    );
    let request = CheckRoutingPolicyRequest {
        policy: None,
        version: 2,
    };
    assert_refused(
        stranger.routing.check_routing_policy(request).await,
        NOT_FOUND,
        "version 2",
    );
    let (version, found) = stranger.draft(to_team("zhang")).await;
    assert_eq!(
        (version, found),
        (1, vec![Code::UnknownTeam]),
        "their numbers are their own"
    );

    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    assert_eq!(viewer.states().await.len(), 2);
    assert_refused(viewer.activate(1, "").await, DENIED, "routing.write");
}

#[tokio::test]
async fn activations_at_once_follow_each_other() {
    let (_leads, mut admin) = two_teams().await;
    admin.put(to_team("zhang"), false, "").await.unwrap();
    for team in ["li", "zhang", "li", "zhang"] {
        let entries = [entry(&format!("来源 = '{team}'"), team), entry("", team)];
        admin
            .put(policy(&entries), true, &format!("{team} {}", entries.len()))
            .await
            .unwrap();
    }
    let newest = admin.states().await[0].0;
    let calls = (1..=newest).chain(1..=newest).map(|version| {
        let mut caller = admin.routing.clone();
        async move {
            let request = ActivateRoutingPolicyRequest {
                version,
                ..ActivateRoutingPolicyRequest::default()
            };
            caller.activate_routing_policy(request).await.unwrap();
        }
    });
    futures_util::future::join_all(calls).await;
    let mut activations = admin.activations().await;
    assert_eq!(activations[0].0, admin.active().await);
    activations.reverse();
    let followed = activations.windows(2).all(|pair| pair[1].1 == pair[0].0);
    assert!(
        followed && activations[0].1 == 0,
        "each follows the one before: {activations:?}"
    );
}

#[tokio::test]
async fn what_a_replica_of_the_release_before_stores_is_active() {
    let (leads, mut admin) = two_teams().await;
    admin.put(to_team("zhang"), false, "").await.unwrap();
    sqlx::query(
        "with stored as (
             insert into routing_policies (tenant_id, version, definition, create_time)
             select tenant_id, 2, definition, now() from routing_policies where tenant_id = $1 returning tenant_id)
         update setup_versions set version = nextval('setup_version_numbers')
         where tenant_id in (select tenant_id from stored)",
    )
    .bind(HUADONG)
    .execute(&leads.owner)
    .await
    .unwrap();
    assert_eq!(admin.active().await, 2);
    assert_eq!(admin.activations().await, [(2, 1), (1, 0)]);
    let request = GetRoutingPolicyRequest { version: 2 };
    let info = admin
        .routing
        .get_routing_policy(request)
        .await
        .unwrap()
        .into_inner()
        .version
        .unwrap();
    assert_eq!(info.author, "");
}
