//! The standalone process is killed twenty times while 5,000 leads arrive, and Redis is emptied once on the way. What
//! was acknowledged is there once, assigned once, announced once; no step of a ladder twice, none after the call.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reflex_proto::leads::v1::{
    Form, Ladder, Member, Product, PutFormRequest, PutLadderRequest, PutMemberRequest, PutProductRequest,
    PutRoutingPolicyRequest, PutTeamRequest, RoutingPolicy, Team, directory_service_client::DirectoryServiceClient,
    form_service_client::FormServiceClient, ladder, member, routing_service_client::RoutingServiceClient,
};
use reflex_rpc::identity::Role;
use reflex_tenancy::TenantId;
use tonic::Code;

use crate::{
    checker,
    crowd::{self, FORM, moment, write_key},
    installation::Installation,
    ledger::Ledger,
    script::{Fault, KILLS, Script, URGENT},
};

/// The seed unless `REFLEX_CHAOS_SEED` gives another.
const SEED: u64 = 20_261_121;
/// Members of each tenant who take leads.
const SALES: usize = 6;
/// Leads a member can hold who is never full.
const PLENTY: i32 = 100_000;
/// Leads a member of the crowded tenant can hold at first.
const SCARCE: i32 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_once_assigned_once_announced_once() {
    let seed = std::env::var("REFLEX_CHAOS_SEED").map_or(SEED, |seed| seed.parse().expect("a number"));
    let script = Script::of(seed);
    let mut installation = Installation::start();
    installation.ready().await;
    for tenant in &script.tenants {
        set_up(
            &installation,
            tenant,
            if tenant == script.crowded() { SCARCE } else { PLENTY },
        )
        .await;
    }

    let ledger = Arc::new(Ledger::default());
    let crowd = crowd::send(&installation, &script, &ledger);
    let mut kills = 0;
    let mut slowest_start = Duration::ZERO;
    for planned in &script.faults {
        ledger.reached(planned.after).await;
        match planned.fault {
            Fault::EmptyRedis => empty_redis(&installation).await,
            Fault::MoreRoom => {
                for number in 1..=SALES {
                    put_member(&installation, script.crowded(), &salesperson(number, PLENTY)).await;
                }
            }
            Fault::Kill(later) | Fault::KillTwice(later, _) => {
                moment(later).await;
                installation.kill();
                installation.start_again();
                kills += 1;
                if let Fault::KillTwice(_, into_the_start) = planned.fault {
                    moment(into_the_start).await;
                    installation.kill();
                    installation.start_again();
                    kills += 1;
                }
                slowest_start = slowest_start.max(installation.ready().await);
            }
        }
    }
    assert_eq!(kills, KILLS);
    crowd.join_all().await;

    let sent = Instant::now();
    checker::wait_for_quiet(&installation).await;
    let quiet_after = sent.elapsed();
    let report = checker::check(&installation, &script, &ledger).await;
    let (leads, calls) = (ledger.leads().len(), ledger.calls().len());
    println!(
        "seed={seed} kills={kills} acked={leads} {report} quiet_after_ms={} calls={calls} steps={} slowest_start_ms={}",
        quiet_after.as_millis(),
        report.steps,
        slowest_start.as_millis()
    );
    assert!(report.is_clean(), "{}\n{}", report.findings(), installation.log());
    assert_eq!(
        ledger.leads().len(),
        script.leads.len(),
        "every lead was acknowledged in the end"
    );
}

async fn empty_redis(installation: &Installation) {
    let client = redis::Client::open(installation.servers().redis).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    checker::wait_for_facts_under_way(installation).await;
    redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.unwrap();
}

async fn set_up(installation: &Installation, tenant: &TenantId, capacity: i32) {
    let admin = installation.leads(tenant, Role::Admin);
    let mut directory = DirectoryServiceClient::new(admin.clone());
    let team = Team {
        name: "teams/sales".into(),
        display_name: "销售一部".into(),
        supervisor: "members/boss".into(),
        director: "members/chief".into(),
        ..Team::default()
    };
    directory
        .put_team(PutTeamRequest {
            team: Some(team),
            ..PutTeamRequest::default()
        })
        .await
        .unwrap();
    for (name, role) in [
        ("members/boss", member::Role::Supervisor),
        ("members/chief", member::Role::Director),
    ] {
        put_member(installation, tenant, &person(name, role, 0)).await;
    }
    for number in 1..=SALES {
        put_member(installation, tenant, &salesperson(number, capacity)).await;
    }
    let product = Product {
        name: "products/urgent".into(),
        display_name: URGENT.into(),
        ..Product::default()
    };
    let put = PutProductRequest {
        product: Some(product),
        ..PutProductRequest::default()
    };
    directory.put_product(put).await.unwrap();

    let mut routing = RoutingServiceClient::new(admin.clone());
    let put = PutLadderRequest {
        ladder: Some(quick_ladder()),
        ..PutLadderRequest::default()
    };
    routing.put_ladder(put).await.unwrap();
    let policy = RoutingPolicy {
        default_team: "teams/sales".into(),
        ..RoutingPolicy::default()
    };
    let put = PutRoutingPolicyRequest {
        policy: Some(policy),
        ..PutRoutingPolicyRequest::default()
    };
    routing.put_routing_policy(put).await.unwrap();

    let form = Form {
        name: FORM.into(),
        title: "官网".into(),
        source: "website".into(),
        write_key: write_key(tenant.as_str()),
        allowed_origins: vec!["*".into()],
        posts_per_minute: 100_000,
        enabled: true,
        ..Form::default()
    };
    let put = PutFormRequest {
        form: Some(form),
        ..PutFormRequest::default()
    };
    FormServiceClient::new(admin).put_form(put).await.unwrap();
}

/// A second to the call, then a step a second.
fn quick_ladder() -> Ladder {
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let step = |after, audience: ladder::Audience| ladder::Step {
        after: seconds(after),
        audience: audience.into(),
        channels: vec!["inbox".into()],
    };
    Ladder {
        name: "ladders/urgent".into(),
        product: "products/urgent".into(),
        contact_within: seconds(1),
        wall_clock: true,
        steps: vec![
            step(0, ladder::Audience::Owner),
            step(1, ladder::Audience::Supervisor),
            step(2, ladder::Audience::Director),
        ],
        ..Ladder::default()
    }
}

fn salesperson(number: usize, capacity: i32) -> Member {
    person(&format!("members/s{number}"), member::Role::Sales, capacity)
}

fn person(name: &str, role: member::Role, capacity: i32) -> Member {
    Member {
        name: name.into(),
        display_name: name.trim_start_matches("members/").into(),
        team: "teams/sales".into(),
        role: role.into(),
        capacity,
        active: true,
        ..Member::default()
    }
}

async fn put_member(installation: &Installation, tenant: &TenantId, member: &Member) {
    let put = PutMemberRequest {
        member: Some(member.clone()),
        ..PutMemberRequest::default()
    };
    let mut directory = DirectoryServiceClient::new(installation.leads(tenant, Role::Admin));
    // A database that has just come up may be slow to let everybody in.
    while let Err(status) = directory.put_member(put.clone()).await {
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    }
}
