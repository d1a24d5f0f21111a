//! Ladders that end with an acknowledgement, and ladders that begin again.

use jiff::SignedDuration;
use reflex_proto::leads::v1::{
    AcknowledgeEscalationRequest, Ladder, NurtureLeadRequest, PutLadderRequest, ReturnLeadRequest, ladder, lead,
};
use reflex_rpc::identity::Role;
use tonic::Code;

use crate::world::{World, request_id};

const AN: &str = "members/an";

/// Puts a ladder for all leads: owner, supervisor half an hour later, director an hour later.
async fn put_ladder(world: &World, acknowledge_stops: bool) {
    let minutes = |minutes: i64| {
        Some(prost_types::Duration {
            seconds: minutes * 60,
            nanos: 0,
        })
    };
    let step = |after, audience: ladder::Audience| ladder::Step {
        after: minutes(after),
        audience: audience.into(),
        channels: vec!["inbox".into()],
    };
    let ladder = Ladder {
        name: "ladders/quick".into(),
        contact_within: minutes(30),
        wall_clock: true,
        acknowledge_stops,
        steps: vec![
            step(0, ladder::Audience::Owner),
            step(30, ladder::Audience::Supervisor),
            step(60, ladder::Audience::Director),
        ],
        ..Ladder::default()
    };
    let request = PutLadderRequest {
        ladder: Some(ladder),
        request_id: request_id(),
    };
    world.routing(Role::Manager).put_ladder(request).await.unwrap();
}

fn acknowledgement(lead: &str, member: &str) -> AcknowledgeEscalationRequest {
    AcknowledgeEscalationRequest {
        name: lead.into(),
        member: member.into(),
        request_id: request_id(),
    }
}

fn climb(world: &World, minutes: i64) {
    world.clock.advance(SignedDuration::from_mins(minutes));
    world.timers.wake();
}

#[tokio::test]
async fn an_acknowledgement_ends_the_ladder_where_it_says_so() {
    for stops in [true, false] {
        let world = World::start().await;
        world.set_up(&[AN], 100).await;
        put_ladder(&world, stops).await;
        let (heard, unheard) = (world.capture("heard").await.name, world.capture("unheard").await.name);
        for lead in [&heard, &unheard] {
            world.assigned(lead).await;
        }
        let mut follow_ups = world.follow_ups(Role::Manager);
        let early = follow_ups
            .acknowledge_escalation(acknowledgement(&heard, AN))
            .await
            .unwrap_err();
        assert_eq!(early.code(), Code::FailedPrecondition, "nobody was told yet");
        climb(&world, 30);
        world.until_steps(&heard, 1).await;
        let other = acknowledgement(&heard, "members/boss");
        let other = follow_ups.acknowledge_escalation(other).await.unwrap_err();
        assert_eq!(other.code(), Code::FailedPrecondition, "somebody else was told");

        let request = acknowledgement(&heard, AN);
        let first = follow_ups
            .acknowledge_escalation(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(first.ladder_stopped, stops);
        let retry = follow_ups.acknowledge_escalation(request).await.unwrap().into_inner();
        let again = follow_ups
            .acknowledge_escalation(acknowledgement(&heard, AN))
            .await
            .unwrap()
            .into_inner();
        assert_eq!((&first, &first), (&retry, &again));
        climb(&world, 90);
        world.until_steps(&unheard, 3).await;
        if stops {
            assert_eq!(world.steps(&heard).await, 1, "no step after the acknowledgement");
        } else {
            world.until_steps(&heard, 3).await;
        }
        let history = world.history(&heard).await;
        let count = |kind: &str| history.iter().filter(|entry| entry.kind == kind).count();
        assert_eq!((count("acknowledged"), count("stopped")), (1, usize::from(stops)));
        world.stop().await;
    }
}

#[tokio::test]
async fn a_lead_that_comes_back_climbs_its_ladder_anew() {
    let world = World::start().await;
    world.set_up(&[AN], 100).await;
    put_ladder(&world, true).await;
    let lead = world.capture("back").await.name;
    world.assigned(&lead).await;
    climb(&world, 120);
    world.until_steps(&lead, 3).await;
    let acknowledged = acknowledgement(&lead, AN);
    world
        .follow_ups(Role::Manager)
        .acknowledge_escalation(acknowledged)
        .await
        .unwrap();
    let nurture = NurtureLeadRequest {
        name: lead.clone(),
        reason: "later".into(),
        request_id: request_id(),
    };
    world.nurture(Role::Manager).nurture_lead(nurture).await.unwrap();
    climb(&world, 120);
    let back = ReturnLeadRequest {
        name: lead.clone(),
        reason: "now".into(),
        request_id: request_id(),
    };
    world.nurture(Role::Manager).return_lead(back).await.unwrap();
    world.until(&lead, |lead| lead.state() == lead::State::Assigned).await;
    climb(&world, 120);
    world.until_steps(&lead, 6).await;
    world.stop().await;
}
