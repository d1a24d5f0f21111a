//! Leads watched as they change: in order, across breaks, nothing twice and nothing missed.

use reflex_proto::leads::v1::{
    CloseLeadRequest, LeadChange, WatchLeadsRequest, WatchLeadsResponse, lead, lead_change::Kind,
};
use reflex_rpc::identity::Role;
use tonic::{Code, Streaming};
use uuid::Uuid;

use crate::harness::{Caller, HUABEI, HUADONG, INVALID, Leads, OTHER_PAGE, assert_refused, member};

/// A watch and the token to go on with.
struct Watch {
    stream: Streaming<WatchLeadsResponse>,
    token: String,
}

impl Watch {
    /// Starts to watch; when this returns, nothing that comes is missed.
    async fn start(caller: &Caller, request: WatchLeadsRequest) -> Self {
        let mut stream = caller.leads.clone().watch_leads(request).await.unwrap().into_inner();
        let first = stream.message().await.unwrap().unwrap();
        assert_eq!(first.change, None);
        Self {
            stream,
            token: first.resume_token,
        }
    }

    async fn all(caller: &Caller, token: &str) -> Self {
        let request = WatchLeadsRequest {
            resume_token: token.into(),
            ..WatchLeadsRequest::default()
        };
        Self::start(caller, request).await
    }

    async fn next(&mut self) -> LeadChange {
        let response = self.stream.message().await.unwrap().unwrap();
        self.token = response.resume_token;
        response.change.unwrap()
    }

    /// Returns kind and company of the next changes.
    async fn next_few(&mut self, count: usize) -> Vec<(Kind, String)> {
        let mut found = Vec::new();
        for _ in 0..count {
            let change = self.next().await;
            found.push((change.kind(), change.lead.unwrap().company));
        }
        found
    }
}

fn pairs(expected: &[(Kind, &str)]) -> Vec<(Kind, String)> {
    expected
        .iter()
        .map(|(kind, company)| (*kind, (*company).to_owned()))
        .collect()
}

async fn close(caller: &Caller, name: &str) {
    let request = CloseLeadRequest {
        name: name.into(),
        outcome: lead::Outcome::Lost.into(),
        reason: "测试".into(),
        request_id: String::new(),
    };
    caller.leads.clone().close_lead(request).await.unwrap();
}

#[tokio::test]
async fn changes_come_in_order_and_go_on_after_a_break() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("ortho").await;
    admin.put_member(member("li.na", "ortho")).await;
    admin.route_all_to("teams/ortho").await;
    let mut stranger = leads.admin(HUABEI);
    let mut of_stranger = Watch::all(&stranger, "").await;

    let mut watch = Watch::all(&admin, "").await;
    let first = admin.capture("苏州精密").await;
    let change = watch.next().await;
    assert_eq!((change.kind(), change.state()), (Kind::Captured, lead::State::Captured));
    let after_capture = watch.token.clone();
    let change = watch.next().await;
    assert_eq!(
        (change.kind(), change.member.as_str()),
        (Kind::Assigned, "members/li.na")
    );
    assert_eq!(change.lead.unwrap().owner, "members/li.na");
    drop(watch);

    // Meanwhile nobody watches.
    close(&admin, &first).await;
    let second = admin.capture("无锡电子").await;
    admin.wait_for_owner(&second, "members/li.na").await;
    let mut again = Watch::all(&admin, &after_capture).await;
    let expected = [
        (Kind::Assigned, "苏州精密"),
        (Kind::Closed, "苏州精密"),
        (Kind::Captured, "无锡电子"),
        (Kind::Assigned, "无锡电子"),
    ];
    assert_eq!(again.next_few(4).await, pairs(&expected));

    let foreign = stranger.capture("别家").await;
    stranger.wait_for_owner(&foreign, "").await;
    let expected = [(Kind::Captured, "别家"), (Kind::Queued, "别家")];
    assert_eq!(
        of_stranger.next_few(2).await,
        pairs(&expected),
        "nothing of the neighbour"
    );
    let third = admin.capture("常州重工").await;
    assert_eq!(again.next().await.lead.unwrap().name, third, "nor the other way");
}

#[tokio::test]
async fn only_what_is_asked_for_is_shown() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    for team in ["ortho", "cardio"] {
        admin.put_team(team).await;
    }
    admin.put_member(member("li.na", "ortho")).await;
    admin.route_all_to("teams/ortho").await;
    let watch = async |state: lead::State, owner: &str, team: &str| {
        let request = WatchLeadsRequest {
            state: state.into(),
            owner: owner.into(),
            team: team.into(),
            resume_token: String::new(),
        };
        Watch::start(&admin, request).await
    };
    let mut closed = watch(lead::State::Closed, "", "").await;
    let mut of_li_na = watch(lead::State::Unspecified, "members/li.na", "").await;
    let mut of_cardio = watch(lead::State::Unspecified, "", "teams/cardio").await;
    let mut caller = leads.admin(HUADONG);
    let name = caller.capture("苏州精密").await;
    caller.wait_for_owner(&name, "members/li.na").await;
    close(&caller, &name).await;
    assert_eq!(closed.next().await.kind(), Kind::Closed);
    let mut seen = of_li_na.next().await;
    // Whether the capture is seen depends on whether the lead was hers when it was looked at.
    if seen.kind() == Kind::Captured {
        seen = of_li_na.next().await;
    }
    assert_eq!(seen.kind(), Kind::Assigned);
    assert_eq!(of_li_na.next().await.kind(), Kind::Closed);

    caller.route_all_to("teams/cardio").await;
    let waits = caller.capture("心血管中心").await;
    let mut seen = of_cardio.next().await;
    if seen.kind() == Kind::Captured {
        seen = of_cardio.next().await;
    }
    assert_eq!((seen.kind(), seen.lead.unwrap().name), (Kind::Queued, waits));

    let mut client = caller.leads.clone();
    let misused = WatchLeadsRequest {
        resume_token: closed.token.clone(),
        ..WatchLeadsRequest::default()
    };
    assert_refused(client.watch_leads(misused).await, OTHER_PAGE, "");
    let nobody = WatchLeadsRequest {
        owner: "li.na".into(),
        ..WatchLeadsRequest::default()
    };
    assert_refused(client.watch_leads(nobody).await, INVALID, "");
    let masked = Watch::all(&leads.caller(HUADONG, Role::Viewer), "").await;
    drop(masked);
    leads.advance(jiff::SignedDuration::from_hours(72));
    let old = WatchLeadsRequest {
        state: lead::State::Closed.into(),
        resume_token: closed.token,
        ..WatchLeadsRequest::default()
    };
    let refused = client.watch_leads(old).await.expect_err("too old");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
}

#[tokio::test]
async fn what_is_committed_late_is_not_missed() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let first = admin.capture("苏州精密").await;
    admin.wait_for_owner(&first, "").await;
    let mut watch = Watch::all(&admin, "").await;

    // Writes its fact before the second lead comes, and takes long to commit.
    let mut late = leads.owner.begin().await.unwrap();
    sqlx::query(
        "insert into outbox (tenant_id, event_id, shard, kind, subject, time, data)
         values ($1, $2, 0, 'reflex.leads.v1.LeadClosed', $3, now(), '')",
    )
    .bind(HUADONG)
    .bind(Uuid::from_u128(7))
    .bind(&first)
    .execute(&mut *late)
    .await
    .unwrap();
    let second = admin.capture("无锡电子").await;
    admin.wait_for_owner(&second, "").await;
    // Somebody who comes now starts below what is not settled.
    let mut newcomer = Watch::all(&admin, "").await;
    late.commit().await.unwrap();

    let expected = [
        (Kind::Closed, "苏州精密"),
        (Kind::Captured, "无锡电子"),
        (Kind::Queued, "无锡电子"),
    ];
    assert_eq!(since_the_close(&mut watch).await, pairs(&expected));
    assert_eq!(since_the_close(&mut newcomer).await, pairs(&expected));
}

/// Returns the next three changes, without what is told once more of before: transactions of other databases keep the start
/// of a watch back.
async fn since_the_close(watch: &mut Watch) -> Vec<(Kind, String)> {
    loop {
        let mut next = watch.next_few(1).await;
        if next[0].0 == Kind::Closed {
            next.extend(watch.next_few(2).await);
            return next;
        }
    }
}
