//! From a captured lead to its owner, its clock and its ladder, against the real server, database and Redis.

#![cfg(test)]

mod conditions;
mod ladders;
mod pool;
mod rehearsal;
mod world;

use std::collections::HashMap;

use jiff::SignedDuration;
use reflex_proto::leads::v1::{
    ClaimLeadRequest, CloseLeadRequest, ExplainAssignmentRequest, FollowUp, GetLeadRequest, Lead, ListLeadsRequest,
    PutMemberRequest, RecordFollowUpRequest, ReleaseLeadRequest, follow_up, lead,
};
use reflex_rpc::identity::Role;
use tonic::Code;
use world::{World, member, new_lead, request_id};

const MEMBERS: [&str; 3] = ["members/an", "members/bo", "members/chen"];

#[tokio::test]
async fn leads_are_shared_out_fairly_and_every_decision_is_explained() {
    let world = World::start().await;
    world.set_up(&MEMBERS, 100).await;
    let mut names = Vec::new();
    for number in 0..30 {
        names.push(world.capture(&format!("web-{number}")).await.name);
    }
    let mut counts: HashMap<String, i32> = HashMap::new();
    for name in &names {
        let lead = world.assigned(name).await;
        *counts.entry(lead.owner).or_default() += 1;
        assert_eq!(lead.team, "teams/sales");
        assert!(lead.claim_due_time.is_some() && lead.contact_due_time.is_some());
    }
    assert!(counts.values().all(|count| *count == 10), "{counts:?}");

    let explained = world
        .routing(Role::Manager)
        .explain_assignment(ExplainAssignmentRequest { name: names[4].clone() })
        .await
        .unwrap()
        .into_inner();
    let decision = &explained.decisions[0];
    assert_eq!((decision.trigger.as_str(), decision.policy_version), ("captured", 1));
    assert_eq!(decision.candidates.len(), 3);
    assert_eq!(
        decision.exclusions[0].reason, "at_capacity",
        "the supervisor has no capacity"
    );
    assert_eq!(explained.history[0].kind, "assigned");
    world.stop().await;
}

#[tokio::test]
async fn a_repeated_capture_answers_with_the_stored_lead() {
    let world = World::start().await;
    world.set_up(&MEMBERS, 100).await;
    let first = world.capture("web-1").await;
    let again = world.capture("web-1").await;
    assert_eq!(
        (first.name, first.number, false),
        (again.name, again.number, first.existed)
    );
    assert!(again.existed);
    world.stop().await;
}

#[tokio::test]
async fn who_is_full_gets_no_more_and_what_waits_is_taken_in_order() {
    let world = World::start().await;
    world.set_up(&MEMBERS[..1], 2).await;
    let mut names = Vec::new();
    for number in 0..5 {
        names.push(world.capture(&format!("web-{number}")).await.name);
    }
    for name in &names[..2] {
        world.assigned(name).await;
    }
    for name in &names[2..] {
        let lead = world.until(name, |lead| lead.state() == lead::State::Queued).await;
        assert_eq!(lead.queue_reason, "at_capacity");
    }
    // Room for one: the oldest that waits takes it.
    let close = CloseLeadRequest {
        name: names[0].clone(),
        outcome: lead::Outcome::Lost.into(),
        reason: "预算取消".into(),
        request_id: request_id(),
    };
    world.leads(Role::Manager).close_lead(close).await.unwrap();
    world.assigned(&names[2]).await;
    assert_eq!(world.get(&names[3]).await.state(), lead::State::Queued);
    // A colleague comes: the rest is taken.
    world.put_member("members/bo", 10, true).await;
    for name in &names[3..] {
        assert_eq!(world.assigned(name).await.owner, "members/bo");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_lead_has_one_owner_at_any_instant() {
    let world = World::start().await;
    world.set_up(&MEMBERS[..2], 100).await;
    let name = world.capture("web-1").await.name;
    let lead = world.assigned(&name).await;
    let other = if lead.owner == MEMBERS[0] {
        MEMBERS[1]
    } else {
        MEMBERS[0]
    };

    let claim = |member: &str, fencing_token| ClaimLeadRequest {
        name: name.clone(),
        member: member.into(),
        fencing_token,
        request_id: request_id(),
    };
    let mut claims = world.claims(Role::Manager, None);
    let refused = claims.claim_lead(claim(other, lead.fencing_token)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let stale = claims
        .claim_lead(claim(&lead.owner, lead.fencing_token - 1))
        .await
        .unwrap_err();
    assert_eq!(stale.code(), Code::Aborted);
    claims.claim_lead(claim(&lead.owner, lead.fencing_token)).await.unwrap();

    let release = ReleaseLeadRequest {
        name: name.clone(),
        member: lead.owner.clone(),
        fencing_token: lead.fencing_token,
        reason: "不是我的区域".into(),
        request_id: request_id(),
    };
    claims.release_lead(release).await.unwrap();
    let moved = world.until(&name, |now| now.owner == other).await;
    assert!(moved.fencing_token > lead.fencing_token);
    let late = claims
        .claim_lead(claim(&lead.owner, lead.fencing_token))
        .await
        .unwrap_err();
    assert_eq!(late.code(), Code::Aborted, "the old owner's token is worth nothing");
    world.stop().await;
}

#[tokio::test]
async fn a_leavers_leads_go_to_colleagues() {
    let world = World::start().await;
    world.set_up(&MEMBERS[..1], 100).await;
    let name = world.capture("web-1").await.name;
    assert_eq!(world.assigned(&name).await.owner, MEMBERS[0]);
    world.put_member("members/bo", 100, true).await;
    let left = world.put_member(MEMBERS[0], 100, false).await;
    assert_eq!(left.rehomed_leads, 1);
    world.until(&name, |lead| lead.owner == "members/bo").await;
    world.stop().await;
}

#[tokio::test]
async fn the_ladder_climbs_until_somebody_calls() {
    let world = World::start().await;
    world.set_up(&MEMBERS, 100).await;
    let quiet = world.capture("quiet").await.name;
    let called = world.capture("called").await.name;
    world.assigned(&quiet).await;
    let owner = world.assigned(&called).await.owner;
    let record = RecordFollowUpRequest {
        follow_up: Some(FollowUp {
            lead: called.clone(),
            member: owner,
            kind: follow_up::Kind::Call.into(),
            attitude: follow_up::Attitude::Undecided.into(),
            next_action: "预约演示".into(),
            ..FollowUp::default()
        }),
        request_id: request_id(),
    };
    let recorded = world
        .follow_ups(Role::Manager)
        .record_follow_up(record.clone())
        .await
        .unwrap()
        .into_inner();
    assert!(recorded.clock_stopped);
    let again = world
        .follow_ups(Role::Manager)
        .record_follow_up(record)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(recorded, again, "a retry gets the stored answer");

    // 240 working minutes from Thursday 10:00 with a break from 12:00 to 13:00: 15:00.
    world.clock.advance(SignedDuration::from_mins(299));
    world.timers.wake();
    assert_eq!(world.steps(&quiet).await, 0);
    world.clock.advance(SignedDuration::from_mins(1));
    world.timers.wake();
    world.until_steps(&quiet, 3).await;
    assert_eq!(world.steps(&called).await, 0, "no step after the call");
    let history = world.history(&called).await;
    assert!(
        history
            .iter()
            .any(|entry| entry.kind == "stopped" && entry.detail.starts_with('3')),
        "{history:?}"
    );
    world.stop().await;
}

#[tokio::test]
async fn bad_input_is_named_and_nothing_is_stored() {
    let world = World::start().await;
    world.set_up(&MEMBERS[..1], 10).await;
    let mut request = new_lead("web-1");
    let lead = request.lead.as_mut().unwrap();
    lead.company = "司".repeat(1_000_000);
    lead.urgency = 77;
    let refused = world.leads(Role::Integration).capture_lead(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);

    let mut request = new_lead("web-2");
    request.lead.as_mut().unwrap().company = "司".repeat(301);
    let refused = world.leads(Role::Integration).capture_lead(request).await.unwrap_err();
    assert!(refused.message().contains("lead.company"), "{refused:?}");

    let foreign = ListLeadsRequest {
        page_token: "bm90IG91cnM".into(),
        ..ListLeadsRequest::default()
    };
    let refused = world.leads(Role::Manager).list_leads(foreign).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let none = world
        .leads(Role::Manager)
        .list_leads(ListLeadsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(none.leads.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_request_id_is_good_for_one_payload() {
    let world = World::start().await;
    world.set_up(&MEMBERS[..1], 10).await;
    let mut request = new_lead("");
    request.request_id = request_id();
    let first = world
        .leads(Role::Integration)
        .capture_lead(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = world
        .leads(Role::Integration)
        .capture_lead(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((first.name, true), (again.name, again.existed));
    request.lead.as_mut().unwrap().company = "另一家医院".into();
    let refused = world.leads(Role::Integration).capture_lead(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);

    let member = member("members/an", 10, true);
    let request_id = request_id();
    let put = |member| PutMemberRequest {
        member: Some(member),
        request_id: request_id.clone(),
    };
    world
        .directory(Role::Admin)
        .put_member(put(member.clone()))
        .await
        .unwrap();
    let other = reflex_proto::leads::v1::Member { capacity: 11, ..member };
    let refused = world.directory(Role::Admin).put_member(put(other)).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    world.stop().await;
}

#[tokio::test]
async fn contact_details_are_masked_for_those_who_only_look() {
    let world = World::start().await;
    world.set_up(&MEMBERS[..1], 10).await;
    let name = world.capture("web-1").await.name;
    let seen_by = async |role| -> Lead {
        world
            .leads(role)
            .get_lead(GetLeadRequest { name: name.clone() })
            .await
            .unwrap()
            .into_inner()
            .lead
            .unwrap()
    };
    let phone = seen_by(Role::Sales).await.phone;
    assert_eq!(phone.len(), 11);
    assert!(!seen_by(Role::Viewer).await.phone.contains(&phone[3..10]));
    assert!(seen_by(Role::Viewer).await.phone.contains('*'));
    world.stop().await;
}
