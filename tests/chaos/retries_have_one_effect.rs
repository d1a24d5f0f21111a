//! The same request several times at once, in any mixture: one effect, and the same answer for everybody.

use futures_util::future::join_all;
use proptest::{
    collection::vec,
    test_runner::{Config, TestCaseError, TestRunner},
};
use reflex_proto::leads::v1::{
    ClaimLeadRequest, FollowUp, ListFollowUpsRequest, ListLeadsRequest, RecordFollowUpRequest,
    claim_service_client::ClaimServiceClient, follow_up, follow_up_service_client::FollowUpServiceClient,
    lead_service_client::LeadServiceClient,
};
use reflex_rpc::identity::Role;
use reflex_testing::eventually;

use crate::scene::{Scene, capture_request, request_id};

/// Leads that somebody cares for in a case, and how many times at once each request is sent.
const MOST_LEADS: usize = 4;
const MOST_TRIES: usize = 6;

/// How often each request about a lead is sent.
#[derive(Debug, Clone, Copy)]
struct Tries {
    capture: usize,
    claim: usize,
    call: usize,
}

#[test]
fn a_request_has_one_effect_however_often_it_is_sent() {
    use proptest::strategy::Strategy as _;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let scene = runtime.block_on(Scene::start());
    let often = || 1..=MOST_TRIES;
    let tries = (often(), often(), often()).prop_map(|(capture, claim, call)| Tries { capture, claim, call });
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&vec(tries, 1..=MOST_LEADS), |leads| {
        let outcomes = runtime.block_on(join_all(leads.into_iter().map(|tries| care_for(&scene, tries))));
        outcomes
            .into_iter()
            .collect::<Result<Vec<()>, String>>()
            .map_err(TestCaseError::fail)?;
        Ok(())
    });
    runtime.block_on(scene.stop());
    outcome.unwrap();
}

/// Captures, claims and calls a lead, each as often as wanted at once, and says what went wrong.
async fn care_for(scene: &Scene, tries: Tries) -> Result<(), String> {
    // Without an id of the source, so that the request id alone tells repetitions apart.
    let request = capture_request("");
    let captures = join_all((0..tries.capture).map(|_| async {
        let mut service = LeadServiceClient::new(scene.leads(Role::Integration));
        service
            .capture_lead(request.clone())
            .await
            .map(tonic::Response::into_inner)
    }));
    let captures = all(captures.await)?;
    let first: Vec<_> = captures.iter().filter(|capture| !capture.existed).collect();
    let [first] = first[..] else {
        return Err(format!("not one of them was the first: {captures:?}"));
    };
    same(
        captures
            .iter()
            .map(|capture| (&capture.name, &capture.number, capture.create_time)),
    )?;
    let name = first.name.clone();
    let list = ListLeadsRequest {
        number: first.number.clone(),
        ..ListLeadsRequest::default()
    };
    let listed = LeadServiceClient::new(scene.leads(Role::Manager))
        .list_leads(list)
        .await;
    require(
        listed.map_err(text)?.into_inner().leads.len() == 1,
        "leads of its number",
    )?;

    let owner = eventually("it has an owner", async || {
        Some(scene.get(&name).await.owner).filter(|owner| !owner.is_empty())
    })
    .await;
    let request = ClaimLeadRequest {
        name: name.clone(),
        member: owner.clone(),
        fencing_token: 1,
        request_id: request_id(),
    };
    let claims = join_all((0..tries.claim).map(|_| async {
        let mut service = ClaimServiceClient::new(scene.leads(Role::Manager));
        service
            .claim_lead(request.clone())
            .await
            .map(tonic::Response::into_inner)
    }));
    let follow_up = FollowUp {
        lead: name.clone(),
        member: owner.clone(),
        kind: follow_up::Kind::Call.into(),
        attitude: follow_up::Attitude::Undecided.into(),
        next_action: "预约演示".into(),
        ..FollowUp::default()
    };
    let call = RecordFollowUpRequest {
        follow_up: Some(follow_up),
        request_id: request_id(),
    };
    let calls = join_all((0..tries.call).map(|_| async {
        let mut service = FollowUpServiceClient::new(scene.leads(Role::Manager));
        service
            .record_follow_up(call.clone())
            .await
            .map(tonic::Response::into_inner)
    }));
    let claims = all(claims.await)?;
    let calls = all(calls.await)?;
    same(claims.iter())?;
    same(calls.iter())?;
    require(calls.iter().all(|call| call.clock_stopped), "the clock was stopped")?;

    let history = scene.history(&name).await;
    for kind in ["assigned", "claimed", "contacted"] {
        let entries = history.iter().filter(|entry| entry.kind == kind).count();
        require(entries == 1, &format!("{entries} times {kind}: {history:?}"))?;
    }
    let list = ListFollowUpsRequest {
        lead: name,
        ..ListFollowUpsRequest::default()
    };
    let listed = FollowUpServiceClient::new(scene.leads(Role::Manager))
        .list_follow_ups(list)
        .await;
    require(
        listed.map_err(text)?.into_inner().follow_ups.len() == 1,
        "one record of the call",
    )
}

fn all<T>(answers: Vec<Result<T, tonic::Status>>) -> Result<Vec<T>, String> {
    answers.into_iter().collect::<Result<_, _>>().map_err(text)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn text(status: tonic::Status) -> String {
    status.to_string()
}

fn same<T: PartialEq + std::fmt::Debug>(answers: impl Iterator<Item = T>) -> Result<(), String> {
    let answers: Vec<T> = answers.collect();
    require(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        &format!("different answers: {answers:?}"),
    )
}

fn require(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}
