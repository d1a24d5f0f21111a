//! Whose lead it was, is, and should be.

use jiff::SignedDuration;
use reflex_proto::leads::v1::{
    ConflictResolution, DecideDisputeRequest, DecideDisputeResponse, GetDisputeRequest, GetOwnerAtRequest,
    ListDisputesRequest, ListOwnershipRequest, OpenDisputeRequest, OpenDisputeResponse, Ownership, ReleaseLeadRequest,
    lead,
};
use reflex_rpc::identity::Role;
use tonic::Status;

use crate::{
    harness::{
        Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, REUSED, WRONG_STATE, assert_refused, member,
    },
    merging::{WANG, call, capture, close, furnish, merge, new_lead, unmerge},
};

const LI: &str = "members/li";

fn pass_a_minute(leads: &Leads) -> prost_types::Timestamp {
    leads.clock.advance(SignedDuration::from_mins(1));
    now(leads)
}

fn now(leads: &Leads) -> prost_types::Timestamp {
    use reflex_runtime::clock::Clock as _;
    let now = leads.clock.now();
    prost_types::Timestamp {
        seconds: now.as_second(),
        nanos: now.subsec_nanosecond(),
    }
}

async fn ownerships(admin: &mut Caller, lead: &str) -> Vec<Ownership> {
    let request = ListOwnershipRequest { lead: lead.into() };
    admin
        .ownership
        .list_ownership(request)
        .await
        .unwrap()
        .into_inner()
        .ownerships
}

async fn owner_at(admin: &mut Caller, lead: &str, time: prost_types::Timestamp) -> String {
    let request = GetOwnerAtRequest {
        lead: lead.into(),
        time: Some(time),
    };
    let answer = admin.ownership.get_owner_at(request).await.unwrap().into_inner();
    answer.ownership.map(|it| it.owner).unwrap_or_default()
}

async fn dispute(admin: &mut Caller, lead: &str, claimant: &str) -> Result<OpenDisputeResponse, Status> {
    let request = OpenDisputeRequest {
        lead: lead.into(),
        claimant: claimant.into(),
        reason: "展会上是我接待的".into(),
        request_id: String::new(),
    };
    admin
        .ownership
        .open_dispute(request)
        .await
        .map(tonic::Response::into_inner)
}

async fn decide(admin: &mut Caller, name: &str, owner: &str) -> Result<DecideDisputeResponse, Status> {
    let request = DecideDisputeRequest {
        name: name.into(),
        owner: owner.into(),
        reason: "首次有效触达在先".into(),
        request_id: String::new(),
    };
    admin
        .ownership
        .decide_dispute(request)
        .await
        .map(tonic::Response::into_inner)
}

fn told(ownerships: &[Ownership]) -> Vec<(&str, &str, &str, &str)> {
    let spans = ownerships.iter();
    spans
        .map(|it| {
            (
                it.lead.as_str(),
                it.owner.as_str(),
                it.start_reason.as_str(),
                it.end_reason.as_str(),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_hand_a_lead_went_through_is_on_record() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let before = now(&leads);
    pass_a_minute(&leads);
    let name = capture(&mut admin, new_lead("A")).await;
    let lead = admin.lead(&name).await;
    let held = pass_a_minute(&leads);
    let release = ReleaseLeadRequest {
        name: name.clone(),
        member: WANG.into(),
        fencing_token: lead.fencing_token,
        ..ReleaseLeadRequest::default()
    };
    admin.claims.release_lead(release).await.unwrap();
    admin.wait_for_owner(&name, "").await;
    let waits = pass_a_minute(&leads);
    admin.put_member(member("li", "zhang")).await;
    admin.wait_for_owner(&name, LI).await;
    pass_a_minute(&leads);
    let mut left = member("li", "zhang");
    left.active = false;
    admin.put_member(left).await;
    admin.wait_for_owner(&name, WANG).await;
    let last = pass_a_minute(&leads);

    assert_eq!(
        told(&ownerships(&mut admin, &name).await),
        [
            (name.as_str(), WANG, "captured: only_candidate", "released"),
            (&name, LI, "directory_changed: only_candidate", "owner_left"),
            (&name, WANG, "owner_left: only_candidate", ""),
        ]
    );
    for (time, owner) in [(before, ""), (held, WANG), (waits, ""), (last, WANG)] {
        let mut just = time;
        just.seconds -= 1;
        assert_eq!(owner_at(&mut admin, &name, just).await, owner);
    }
    let request = GetOwnerAtRequest {
        lead: name.clone(),
        time: Some(prost_types::Timestamp {
            seconds: last.seconds + 1,
            nanos: 0,
        }),
    };
    assert_refused(admin.ownership.get_owner_at(request).await, INVALID, "in the future");
    let request = GetOwnerAtRequest {
        lead: name.clone(),
        time: None,
    };
    assert_refused(admin.ownership.get_owner_at(request).await, INVALID, "time");
    let request = ListOwnershipRequest { lead: name };
    let mut stranger = leads.admin(HUABEI);
    assert_refused(stranger.ownership.list_ownership(request).await, NOT_FOUND, "leads/");
}

#[tokio::test]
async fn while_two_leads_are_one_it_is_whose_the_one_is() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let loser = capture(&mut admin, new_lead("B")).await;
    admin.put_member(member("li", "zhang")).await;
    let survivor = {
        let request = reflex_proto::leads::v1::CaptureLeadRequest {
            lead: Some(new_lead("A")),
            request_id: String::new(),
        };
        admin.leads.capture_lead(request).await.unwrap().into_inner().name
    };
    admin.wait_for_owner(&survivor, LI).await;
    pass_a_minute(&leads);
    let merged = merge(&mut admin, &survivor, &loser).await.unwrap().merge.unwrap();
    let within = pass_a_minute(&leads);
    assert_eq!(owner_at(&mut admin, &loser, within).await, LI);
    unmerge(&mut admin, &merged.name, ConflictResolution::Unspecified)
        .await
        .unwrap();
    let after = pass_a_minute(&leads);
    assert_eq!(owner_at(&mut admin, &loser, after).await, WANG);
    assert_eq!(
        told(&ownerships(&mut admin, &loser).await),
        [
            (loser.as_str(), WANG, "captured: only_candidate", "merged"),
            (&survivor, LI, "merged", "unmerged"),
            (&loser, WANG, "unmerged", ""),
        ]
    );
}

#[tokio::test]
async fn a_dispute_is_decided_on_the_evidence_and_the_lead_goes_over() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let mut exhibition = new_lead("B");
    exhibition.source = "展会".into();
    let first = capture(&mut admin, exhibition).await;
    call(&mut admin, &first).await.unwrap();
    pass_a_minute(&leads);
    let name = capture(&mut admin, new_lead("A")).await;
    merge(&mut admin, &name, &first).await.unwrap();
    admin.put_member(member("li", "zhang")).await;

    let opened = dispute(&mut admin, &first, LI).await.unwrap();
    let (open, evidence) = (opened.dispute.unwrap(), opened.evidence.unwrap());
    assert_eq!(
        (&open.lead, open.claimant.as_str(), open.owner.as_str()),
        (&name, LI, "")
    );
    let touches: Vec<(&str, &str)> = evidence
        .touches
        .iter()
        .map(|touch| (touch.lead.as_str(), touch.source.as_str()))
        .collect();
    assert_eq!(touches, [(first.as_str(), "展会"), (&name, "website")]);
    assert_eq!(evidence.first_contact.as_ref().unwrap().member, WANG);
    assert_eq!((evidence.members.len(), evidence.members[0].contact_count), (1, 1));
    assert_refused(dispute(&mut admin, &name, LI).await, WRONG_STATE, "another dispute");

    let fence = admin.lead(&name).await.fencing_token;
    let decided = decide(&mut admin, &open.name, LI).await.unwrap();
    let (verdict, lead) = (decided.dispute.unwrap(), decided.lead.unwrap());
    assert_eq!(
        (verdict.owner.as_str(), verdict.decision.as_str()),
        (LI, "首次有效触达在先")
    );
    assert_eq!(
        (lead.owner.as_str(), lead.state(), lead.fencing_token),
        (LI, lead::State::Contacted, fence + 1)
    );
    let held: Vec<(String, i32)> = sqlx::query_as("select member_id, open_leads from members order by member_id")
        .fetch_all(&leads.owner)
        .await
        .unwrap();
    assert_eq!(held, [("li".into(), 1), ("wang".into(), 0)]);
    assert_eq!(leads.told("reflex.leads.v1.LeadAssigned", &name).await, 2);
    assert_eq!(
        told(&ownerships(&mut admin, &name).await),
        [
            (name.as_str(), WANG, "captured: only_candidate", "dispute"),
            (&name, LI, "dispute", ""),
        ]
    );
    assert_refused(
        decide(&mut admin, &open.name, WANG).await,
        WRONG_STATE,
        "decided already",
    );
    // What was known when it was decided stays what it was.
    call(&mut admin, &name).await.unwrap();
    let request = GetDisputeRequest {
        name: open.name.clone(),
    };
    let shown = admin.ownership.get_dispute(request.clone()).await.unwrap().into_inner();
    assert_eq!(shown.evidence.unwrap().members, evidence.members);

    let list = |open_only| ListDisputesRequest {
        lead: name.clone(),
        open_only,
        ..ListDisputesRequest::default()
    };
    let listed = admin.ownership.list_disputes(list(false)).await.unwrap().into_inner();
    assert_eq!(listed.disputes, [verdict]);
    let listed = admin.ownership.list_disputes(list(true)).await.unwrap().into_inner();
    assert_eq!(listed.disputes, []);
    let mut stranger = leads.admin(HUABEI);
    assert_refused(stranger.ownership.get_dispute(request).await, NOT_FOUND, "");
    assert_refused(decide(&mut stranger, &open.name, LI).await, NOT_FOUND, "");
    let mut sales = leads.caller(HUADONG, Role::Sales);
    assert_refused(decide(&mut sales, &open.name, LI).await, DENIED, "leads.decide_dispute");
    assert_refused(dispute(&mut sales, &name, WANG).await, DENIED, "leads.act_for_others");
}

#[tokio::test]
async fn disputes_are_refused_where_there_is_nothing_to_decide() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let name = capture(&mut admin, new_lead("A")).await;
    assert_refused(dispute(&mut admin, &name, WANG).await, WRONG_STATE, "already");
    assert_refused(dispute(&mut admin, &name, LI).await, WRONG_STATE, "does not work here");
    let nobody = "leads/0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
    assert_refused(dispute(&mut admin, nobody, WANG).await, NOT_FOUND, nobody);
    admin.put_member(member("li", "zhang")).await;
    let request = OpenDisputeRequest {
        lead: name.clone(),
        claimant: LI.into(),
        reason: " ".into(),
        request_id: "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".into(),
    };
    assert_refused(admin.ownership.open_dispute(request.clone()).await, INVALID, "reason");
    let request = OpenDisputeRequest {
        reason: "x".into(),
        ..request
    };
    let opened = admin
        .ownership
        .open_dispute(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = admin
        .ownership
        .open_dispute(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(opened, again);
    let other = OpenDisputeRequest {
        reason: "y".into(),
        ..request
    };
    assert_refused(admin.ownership.open_dispute(other).await, REUSED, "");
    // Of a closed lead the record changes, nobody's load does.
    close(&mut admin, &name).await.unwrap();
    let open = opened.dispute.unwrap().name;
    assert_refused(
        decide(&mut admin, &open, "members/nobody").await,
        WRONG_STATE,
        "does not work here",
    );
    let lead = decide(&mut admin, &open, LI).await.unwrap().lead.unwrap();
    assert_eq!((lead.owner.as_str(), lead.state()), (LI, lead::State::Closed));
    let held: i64 = sqlx::query_scalar("select sum(open_leads) from members")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(held, 0);
}
