//! Leads go back to the pool when nobody does anything with them, and salespeople pick from it within limits.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reflex_proto::leads::v1::{
    CalculatedField, DeleteCalculatedFieldRequest, ExplainAssignmentRequest, FollowUp, GetPoolPolicyRequest, Lead,
    PickLeadRequest, PickLeadResponse, PoolPolicy, PutCalculatedFieldRequest, PutPoolPolicyRequest,
    PutRoutingPolicyRequest, RecordFollowUpRequest, RoutingDecision, RoutingPolicy, SimulateRoutingRequest,
    calculated_field, follow_up, lead,
    pool_policy::{Lacking, Rule, Then},
};
use reflex_rpc::identity::Role;
use reflex_testing::eventually;
use sqlx::{Connection as _, PgConnection};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    rehearsal::simulate,
    world::{World, new_lead, request_id},
};

const AN: &str = "members/an";
const BO: &str = "members/bo";
const CHEN: &str = "members/chen";
const DAI: &str = "members/dai";

fn hours(hours: i64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: hours * 3600,
        nanos: 0,
    }
}

/// Two working hours without a follow-up, then to somebody else.
fn rule(title: &str) -> Rule {
    Rule {
        title: title.into(),
        lacking: Lacking::FollowUp.into(),
        within: Some(hours(2)),
        then: Then::Route.into(),
        ..Rule::default()
    }
}

fn pool(picks_per_day: i32, rules: &[Rule]) -> PoolPolicy {
    PoolPolicy {
        picks_per_day,
        rules: rules.to_vec(),
        update_time: None,
    }
}

async fn put(world: &World, policy: PoolPolicy) -> Result<PoolPolicy, Status> {
    let put = PutPoolPolicyRequest {
        policy: Some(policy),
        request_id: request_id(),
    };
    let put = world.pool(Role::Manager, None).put_pool_policy(put).await?;
    Ok(put.into_inner().policy.unwrap())
}

async fn pick(world: &World, lead: &str, member: &str) -> Result<PickLeadResponse, Status> {
    let pick = PickLeadRequest {
        name: lead.into(),
        member: String::new(),
        request_id: request_id(),
    };
    let picked = world.pool(Role::Sales, Some(member)).pick_lead(pick).await;
    picked.map(tonic::Response::into_inner)
}

/// Returns the codes of what stands in the way of a pick.
#[track_caller]
fn obstacles(refused: &Status) -> Vec<String> {
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    let details = refused.get_error_details();
    let violations = &details.precondition_failure().unwrap().violations;
    violations.iter().map(|it| it.r#type.clone()).collect()
}

async fn last_decision(world: &World, name: &str) -> RoutingDecision {
    let request = ExplainAssignmentRequest { name: name.into() };
    let explained = world.routing(Role::Manager).explain_assignment(request).await.unwrap();
    explained.into_inner().decisions.pop().unwrap()
}

fn advance(world: &World, minutes: i64) {
    world.clock.advance(SignedDuration::from_mins(minutes));
    world.timers.wake();
}

/// Waits until the clock of a lead stands at an instant.
async fn until_clock(world: &World, lead: &str, at: &str) {
    let at: Timestamp = at.parse().unwrap();
    let mut connection = PgConnection::connect(&world.database.owner_url()).await.unwrap();
    eventually(&format!("the clock of {lead} stands at {at}"), async || {
        let due: Option<i64> = sqlx::query_scalar(
            "select extract(epoch from due_time)::bigint from timers
             where kind = 'recycle_due' and starts_with(key, $1)",
        )
        .bind(lead)
        .fetch_optional(&mut connection)
        .await
        .unwrap();
        due == Some(at.as_second())
    })
    .await;
}

/// Waits until nothing is to be routed any more.
async fn until_routed(world: &World) {
    let mut connection = PgConnection::connect(&world.database.owner_url()).await.unwrap();
    eventually("everything is routed", async || {
        let left: i64 = sqlx::query_scalar("select count(*) from reroute_requests")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        left == 0
    })
    .await;
}

/// Has leads wait that no entry matches.
async fn waiting(world: &World, count: usize) -> Vec<String> {
    let put = PutRoutingPolicyRequest {
        policy: Some(RoutingPolicy::default()),
        request_id: request_id(),
        ..PutRoutingPolicyRequest::default()
    };
    world.routing(Role::Admin).put_routing_policy(put).await.unwrap();
    let mut names = Vec::new();
    for number in 0..count {
        names.push(world.capture(&format!("web-{number}")).await.name);
    }
    for name in &names {
        world.until(name, |lead| lead.queue_reason == "no_entry").await;
    }
    names
}

#[tokio::test]
async fn a_lead_without_follow_up_goes_to_a_colleague_and_back_after_the_cooldown() {
    let world = World::start().await;
    world.set_up(&[AN, BO], 10).await;
    let three_days = Rule {
        cooldown: Some(hours(72)),
        ..rule("两小时无跟进")
    };
    put(&world, pool(0, &[three_days])).await.unwrap();
    let name = world.capture("web-1").await.name;
    let first = world.assigned(&name).await.owner;
    until_clock(&world, &name, "2026-03-05T12:00:00+08:00").await;
    advance(&world, 120);
    let second = world
        .until(&name, |lead| {
            lead.state() == lead::State::Assigned && lead.owner != first
        })
        .await;
    let decision = last_decision(&world, &name).await;
    assert_eq!(
        (decision.trigger.as_str(), decision.chosen.as_str()),
        ("recycled", second.owner.as_str())
    );
    let excluded = decision.exclusions.iter().find(|it| it.member == first).unwrap();
    assert_eq!(
        (excluded.reason.as_str(), excluded.detail.as_str()),
        ("cooldown", "until 2026-03-08T04:00:00Z")
    );
    let history = world.history(&name).await;
    let recycled = history.iter().find(|entry| entry.kind == "recycled").unwrap();
    assert_eq!(recycled.member, first);
    assert_eq!(
        recycled.detail,
        "两小时无跟进: no_follow_up within 2h, cooldown until 2026-03-08T04:00:00Z"
    );
    // From 12:00 to 13:00 nobody works. The boss, who holds no leads, is the one to hope for.
    until_clock(&world, &name, "2026-03-05T15:00:00+08:00").await;
    advance(&world, 180);
    world.until(&name, |lead| lead.queue_reason == "at_capacity").await;
    // Sunday noon, when the first cooldown is over.
    advance(&world, 69 * 60);
    let back = world.assigned(&name).await;
    assert_eq!(back.owner, first);
    assert_eq!(last_decision(&world, &name).await.trigger, "cooldown_ended");
    until_routed(&world).await;
    let (differences, summary) = simulate(&world, SimulateRoutingRequest::default()).await;
    assert_eq!(
        (differences, summary.unreproduced_count),
        (Vec::new(), 0),
        "{:?}",
        summary.loads
    );
    world.stop().await;
}

#[tokio::test]
async fn a_follow_up_starts_the_clock_anew() {
    let world = World::start().await;
    world.set_up(&[AN, BO], 10).await;
    put(&world, pool(0, &[rule("两小时无跟进")])).await.unwrap();
    let name = world.capture("web-1").await.name;
    let owner = world.assigned(&name).await.owner;
    advance(&world, 60);
    let follow_up = FollowUp {
        lead: name.clone(),
        member: owner.clone(),
        kind: follow_up::Kind::Message.into(),
        note: "已发资料".into(),
        ..FollowUp::default()
    };
    let record = RecordFollowUpRequest {
        follow_up: Some(follow_up),
        request_id: request_id(),
    };
    world.follow_ups(Role::Manager).record_follow_up(record).await.unwrap();
    advance(&world, 60);
    until_clock(&world, &name, "2026-03-05T14:00:00+08:00").await;
    assert_eq!(world.get(&name).await.owner, owner);
    advance(&world, 120);
    let other = if owner == AN { BO } else { AN };
    world.until(&name, |lead| lead.owner == other).await;
    // Without a cooldown whoever lost it is the previous owner.
    let decision = last_decision(&world, &name).await;
    let excluded = decision.exclusions.iter().find(|it| it.member == owner).unwrap();
    assert_eq!(excluded.reason, "previous_owner");
    world.stop().await;
}

#[tokio::test]
async fn what_a_rule_names_waits_to_be_picked_and_nothing_else_does() {
    let world = World::start().await;
    world.set_up(&[AN, BO], 1).await;
    let fair = Rule {
        when: "来源 = '展会' 且 等待小时 >= 1".into(),
        lacking: Lacking::Claim.into(),
        wall_clock: true,
        then: Then::Wait.into(),
        cooldown: Some(hours(1)),
        ..rule("展会无人领取")
    };
    put(&world, pool(2, &[fair])).await.unwrap();
    let mut from_fair = new_lead("fair-1");
    from_fair.lead.as_mut().unwrap().source = "展会".into();
    let from_fair = world
        .leads(Role::Integration)
        .capture_lead(from_fair)
        .await
        .unwrap()
        .into_inner()
        .name;
    let other = world.capture("web-1").await.name;
    assert_eq!(world.assigned(&from_fair).await.owner, AN);
    assert_eq!(world.assigned(&other).await.owner, BO);
    advance(&world, 120);
    let pooled = world.until(&from_fair, |lead| lead.queue_reason == "pooled").await;
    assert_eq!((pooled.state(), pooled.owner.as_str()), (lead::State::Queued, ""));
    let decision = last_decision(&world, &from_fair).await;
    assert_eq!(
        (decision.trigger.as_str(), decision.reason.as_str()),
        ("recycled", "pooled")
    );
    assert_eq!(decision.exclusions[0].reason, "cooldown");
    // A colleague who gets room changes nothing about a lead that waits to be picked.
    world.put_member(BO, 2, true).await;
    until_routed(&world).await;
    assert_eq!(world.get(&from_fair).await.queue_reason, "pooled");
    assert_eq!(world.get(&other).await.owner, BO, "the condition does not hold for it");

    let refused = pick(&world, &from_fair, AN).await.unwrap_err();
    assert_eq!(obstacles(&refused), ["COOLDOWN"]);
    let refused = pick(&world, &other, BO).await.unwrap_err();
    assert_eq!(obstacles(&refused), ["NOT_WAITING"]);
    let picked = pick(&world, &from_fair, BO).await.unwrap();
    let lead: Lead = picked.lead.unwrap();
    assert_eq!((picked.picks, picked.picks_per_day), (1, 2));
    assert_eq!((lead.owner.as_str(), lead.state()), (BO, lead::State::Claimed));
    assert!(lead.fencing_token > pooled.fencing_token);
    let decision = last_decision(&world, &from_fair).await;
    assert_eq!(
        (
            decision.trigger.as_str(),
            decision.reason.as_str(),
            decision.chosen.as_str()
        ),
        ("picked", "picked", BO)
    );
    let refused = pick(&world, &from_fair, BO).await.unwrap_err();
    assert_eq!(obstacles(&refused), ["NOT_WAITING", "AT_CAPACITY"]);
    until_routed(&world).await;
    let (differences, summary) = simulate(&world, SimulateRoutingRequest::default()).await;
    assert_eq!((differences, summary.unreproduced_count), (Vec::new(), 0));
    world.stop().await;
}

#[tokio::test]
async fn sixteen_at_once_pick_no_more_than_the_day_allows() {
    let world = World::start().await;
    world.set_up(&[AN], 100).await;
    let names = waiting(&world, 16).await;
    let refused = pick(&world, &names[0], AN).await.unwrap_err();
    assert_eq!(obstacles(&refused), ["NO_PICKING"]);
    put(&world, pool(3, &[])).await.unwrap();
    let picks = names.iter().map(|name| pick(&world, name, AN));
    let (mut counts, mut spent) = (Vec::new(), 0);
    for outcome in futures_util::future::join_all(picks).await {
        match outcome {
            Ok(picked) => counts.push(picked.picks),
            Err(refused) => {
                assert_eq!(obstacles(&refused), ["PICK_LIMIT"]);
                spent += 1;
            }
        }
    }
    counts.sort_unstable();
    assert_eq!((counts, spent), (vec![1, 2, 3], 13));
    // On Friday there are three more, and a retry does not count.
    advance(&world, 24 * 60);
    let left = names.iter();
    let mut left_names = Vec::new();
    for name in left {
        if world.get(name).await.owner.is_empty() {
            left_names.push(name.clone());
        }
    }
    assert_eq!(left_names.len(), 13);
    let request = PickLeadRequest {
        name: left_names[0].clone(),
        member: AN.into(),
        request_id: request_id(),
    };
    let mut client = world.pool(Role::Manager, None);
    let first = client.pick_lead(request.clone()).await.unwrap().into_inner();
    let again = client.pick_lead(request).await.unwrap().into_inner();
    assert_eq!((first.picks, &first), (1, &again));
    assert_eq!(pick(&world, &left_names[1], AN).await.unwrap().picks, 2);
    // What is picked at the weekend counts for Monday.
    advance(&world, 24 * 60);
    assert_eq!(pick(&world, &left_names[2], AN).await.unwrap().picks, 1);
    advance(&world, 48 * 60);
    assert_eq!(pick(&world, &left_names[3], AN).await.unwrap().picks, 2);
    world.stop().await;
}

#[tokio::test]
async fn sixteen_picks_of_four_leads_give_each_one_owner_and_nobody_more_than_they_hold() {
    let world = World::start().await;
    let members = [AN, BO, CHEN, DAI];
    world.set_up(&members, 1).await;
    let names = waiting(&world, 4).await;
    put(&world, pool(4, &[])).await.unwrap();
    let pairs = members
        .iter()
        .flat_map(|member| names.iter().map(move |name| (name, member)));
    let picks = pairs.map(async |(name, member)| (name, pick(&world, name, member).await));
    let mut owners: BTreeMap<&str, String> = BTreeMap::new();
    for (name, outcome) in futures_util::future::join_all(picks).await {
        match outcome {
            Ok(picked) => {
                let owner = picked.lead.unwrap().owner;
                assert_eq!(owners.insert(name, owner), None, "a lead is picked once");
            }
            Err(refused) => {
                let codes = obstacles(&refused);
                assert!(
                    codes
                        .iter()
                        .all(|code| ["NOT_WAITING", "AT_CAPACITY"].contains(&code.as_str())),
                    "{codes:?}"
                );
            }
        }
    }
    let mut holders: Vec<&String> = owners.values().collect();
    holders.sort_unstable();
    let before = holders.len();
    holders.dedup();
    assert_eq!(holders.len(), before, "everybody holds one at most: {owners:?}");
    for (name, owner) in &owners {
        assert_eq!(&world.get(name).await.owner, owner);
    }
    assert!(!owners.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_policy_holds_for_leads_that_are_owned_already_and_nothing_waits_for_nobody() {
    let world = World::start().await;
    world.set_up(&[AN, BO], 10).await;
    let name = world.capture("web-1").await.name;
    let owner = world.assigned(&name).await.owner;
    advance(&world, 180);
    let wait = Rule {
        then: Then::Wait.into(),
        ..rule("两小时无跟进")
    };
    let policy = put(&world, pool(1, &[wait])).await.unwrap();
    world.timers.wake();
    world.until(&name, |lead| lead.queue_reason == "pooled").await;
    let refused = pick(&world, &name, &owner).await.unwrap_err();
    assert_eq!(obstacles(&refused), ["PREVIOUS_OWNER"]);
    let again = put(&world, policy.clone()).await.unwrap();
    assert_eq!(again, policy, "the same policy again changes nothing");
    // Nobody may pick any more: routing takes over.
    let stored = put(&world, pool(0, &[rule("两小时无跟进")])).await.unwrap();
    world
        .until(&name, |lead| !lead.owner.is_empty() && lead.owner != owner)
        .await;
    let got = world
        .pool(Role::Viewer, None)
        .get_pool_policy(GetPoolPolicyRequest {})
        .await
        .unwrap();
    assert_eq!(got.into_inner().policy, Some(stored));
    world.stop().await;
}

#[tokio::test]
async fn mistakes_are_named_and_fields_in_use_stay() {
    let world = World::start().await;
    world.set_up(&[AN], 10).await;
    let missing = world
        .pool(Role::Viewer, None)
        .get_pool_policy(GetPoolPolicyRequest {})
        .await;
    assert_eq!(missing.unwrap_err().code(), Code::NotFound);
    let mistaken = Rule {
        when: "来源 = ".into(),
        lacking: 77,
        within: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        ..rule("")
    };
    let refused = put(&world, pool(1, &[mistaken])).await.unwrap_err();
    let fields: Vec<String> = refused
        .get_details_bad_request()
        .unwrap()
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    let place = |field: &str| format!("policy.rules[0].{field}");
    assert_eq!(fields, ["title", "lacking", "within", "when"].map(place));

    let field = CalculatedField {
        name: "calculatedFields/weight".into(),
        entity: calculated_field::Entity::Lead.into(),
        field_name: "权重".into(),
        formula: "IF(来源 = '展会', 2, 1)".into(),
        ..CalculatedField::default()
    };
    let put_field = PutCalculatedFieldRequest {
        field: Some(field),
        request_id: request_id(),
    };
    world.fields(Role::Admin).put_calculated_field(put_field).await.unwrap();
    let heavy = Rule {
        when: "权重 > 1".into(),
        ..rule("重要线索")
    };
    put(&world, pool(1, &[heavy])).await.unwrap();
    let delete = DeleteCalculatedFieldRequest {
        name: "calculatedFields/weight".into(),
        request_id: request_id(),
    };
    let refused = world
        .fields(Role::Admin)
        .delete_calculated_field(delete)
        .await
        .unwrap_err();
    assert!(refused.message().contains("重要线索"), "{refused}");
    world.stop().await;
}
