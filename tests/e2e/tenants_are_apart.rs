//! Nobody reaches another tenant's leads, people or messages: not by any RPC, not with its names, not with its tokens.

use std::{collections::BTreeSet, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::SignedDuration;
use prost::bytes::Bytes;
use prost_reflect::MethodDescriptor;
use reflex_proto::{
    notifications::v1::{WatchInboxRequest, inbox_service_client::InboxServiceClient},
    platform::v1::Reason,
};
use reflex_rpc::{identity::Role, status::reason_of};
use reflex_runtime::clock::FixedClock;
use reflex_tenancy::TenantId;
use reflex_testing::{eventually, fixture_time};
use reflex_tests::suite::Suite;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    aimed_requests::{AIMED, Expected},
    any_rpc::{self, Wires, as_admin, bearer, path_of},
    furnished::{Furnished, MARK, MEMBER},
};

#[tokio::test(flavor = "multi_thread")]
async fn no_rpc_reaches_another_tenants_resources() {
    let clock = Arc::new(FixedClock::new(fixture_time()));
    let suite = Suite::start_with(&clock).await;
    let wires = Wires::to(&suite);
    let owner = Furnished::create(&suite, &wires, &clock).await;
    let before = rows_at_rest(&suite, &owner.tenant).await;
    assert!(before.len() > 60, "{before:#?}");

    let aim = Aim {
        suite: &suite,
        wires: &wires,
        owner: &owner,
    };
    let mut reached = BTreeSet::new();
    let mut holes = Vec::new();
    for (at, (path, request, expected)) in AIMED.iter().enumerate() {
        let method = any_rpc::named(&format!("reflex.{path}"));
        holes.extend(aim.shoot(at, &method, request, *expected).await.err());
        reached.insert(path_of(&method));
    }
    assert_eq!(holes, [""; 0]);
    let every: BTreeSet<_> = any_rpc::all().iter().map(path_of).collect();
    assert_eq!(
        reached, every,
        "each RPC needs a request aimed at another tenant's resources"
    );
    assert_eq!(
        rows_at_rest(&suite, &owner.tenant).await,
        before,
        "nothing of the tenant changed"
    );

    // The same requests do reach the resources in the hands of their owner, or the test would prove nothing.
    let mut missed = Vec::new();
    for (path, request, expected) in AIMED {
        if ![Expected::Own, Expected::Same].contains(expected) {
            missed.extend(aim.as_owner(path, request, *expected).await.err());
        }
    }
    assert_eq!(missed, [""; 0]);
    suite.stop().await;
}

/// Requests with the names of `owner`, sent by others.
struct Aim<'a> {
    suite: &'a Suite,
    wires: &'a Wires,
    owner: &'a Furnished,
}

impl Aim<'_> {
    /// Sends a request with the owner's names and the same with invented ones, each as a tenant that has nothing.
    async fn shoot(
        &self,
        at: usize,
        method: &MethodDescriptor,
        request: &str,
        expected: Expected,
    ) -> Result<(), String> {
        let path = path_of(method);
        let (mut names, mut invented) = (request.to_owned(), request.to_owned());
        let mut pairs = Vec::new();
        for (word, name) in &self.owner.names {
            let place = format!("<{word}>");
            if request.contains(&place) {
                let other = invent(name);
                names = names.replace(&place, name);
                invented = invented.replace(&place, &other);
                // Sentences also name things without their collection.
                pairs.push((bare(name), bare(&other)));
            }
        }
        let aimed = self.send(&format!("spy-{at}"), method, &names).await;
        let hole = |what: &str| Err(format!("{path} {request}: {what}: {aimed:?}"));
        if aimed.as_ref().is_ok_and(|answer| contains(answer, MARK)) {
            return hole("gives away");
        }
        match (expected, &aimed) {
            (Expected::Own, Ok(answer)) => {
                let answer = any_rpc::decode(method, answer.clone());
                let found = answer.get("existed").is_some() || answer.get("existedCount").is_some();
                return if found { hole("found, not stored") } else { Ok(()) };
            }
            (Expected::Nothing | Expected::Same, Ok(_)) => {}
            (Expected::Refused(code), Err(status)) if status.code() == code => {}
            _ => return hole("not as expected"),
        }
        let (spy, fool) = (format!("spy-{at}"), format!("sot-{at}"));
        let blind = self.send(&fool, method, &invented).await;
        pairs.push((spy, fool));
        let seen = pairs
            .iter()
            .fold(wire_form(&aimed), |bytes, (name, other)| replaced(bytes, name, other));
        if seen == wire_form(&blind) {
            Ok(())
        } else {
            hole("not as if the names were invented")
        }
    }

    /// Sends a request with the owner's names as the owner.
    async fn as_owner(&self, path: &str, request: &str, expected: Expected) -> Result<(), String> {
        let method = any_rpc::named(&format!("reflex.{path}"));
        let names = self.owner.names.iter();
        let filled = names.fold(request.to_owned(), |text, (word, name)| {
            text.replace(&format!("<{word}>"), name)
        });
        let answer = self.send(self.owner.tenant.as_str(), &method, &filled).await;
        let is_reached = match (expected, &answer) {
            (Expected::Nothing, Ok(answer)) => {
                let mut texts = self.owner.names.values().map(String::as_str).chain([MARK]);
                method.is_server_streaming() || texts.any(|text| contains(answer, text))
            }
            (Expected::Nothing, Err(_)) => false,
            (_, Ok(_)) => true,
            (_, Err(status)) => ![Code::NotFound, Code::InvalidArgument].contains(&status.code()),
        };
        if is_reached {
            Ok(())
        } else {
            Err(format!("{path} {filled}: {answer:?}"))
        }
    }

    async fn send(&self, tenant: &str, method: &MethodDescriptor, request: &str) -> Result<Bytes, Status> {
        let tenant: TenantId = tenant.parse().unwrap();
        let message = any_rpc::encode(method, &serde_json::from_str(&in_base64(request)).unwrap());
        self.wires.call(method, &as_admin(self.suite, &tenant), message).await
    }
}

/// Writes what stands after `base64:` as JSON writes bytes.
fn in_base64(request: &str) -> String {
    let Some((before, rest)) = request.split_once("base64:") else {
        return request.to_owned();
    };
    let (text, after) = rest.split_once('"').unwrap();
    let bytes: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
    format!("{before}{}\"{after}", STANDARD.encode(bytes))
}

/// Returns a name of the same form that nothing has.
fn bare(name: &str) -> String {
    name.rsplit_once('/').map_or(name, |(_, id)| id).to_owned()
}

fn invent(name: &str) -> String {
    let (collection, id) = name
        .rsplit_once('/')
        .map_or(("", name), |(collection, id)| (collection, id));
    let id = if id.parse::<Uuid>().is_ok() {
        Uuid::now_v7().to_string()
    } else if id.bytes().all(|byte| byte.is_ascii_digit()) {
        // The number of a version.
        "9".repeat(id.len())
    } else {
        id.chars()
            .map(|letter| if letter.is_ascii_lowercase() { 'q' } else { letter })
            .collect()
    };
    if collection.is_empty() {
        id
    } else {
        format!("{collection}/{id}")
    }
}

/// Everything of an answer that a caller sees.
fn wire_form(answer: &Result<Bytes, Status>) -> Vec<u8> {
    match answer {
        Ok(answer) => answer.to_vec(),
        Err(status) => [
            format!("{:?} {}: ", status.code(), status.message()).as_bytes(),
            status.details(),
        ]
        .concat(),
    }
}

fn replaced(bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "lengths are part of the wire form");
    let mut bytes = bytes;
    while let Some(at) = bytes.windows(from.len()).position(|window| window == from.as_bytes()) {
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Returns every row of a tenant in both databases, once all its facts are told and applied.
async fn rows_at_rest(suite: &Suite, tenant: &TenantId) -> Vec<String> {
    let mut last = Vec::new();
    eventually("the tenant is at rest", async || {
        let seen = rows(suite, tenant).await;
        let waits = |row: &String| {
            ["outbox_pending ", "duplicate_requests ", "duplicate_sweeps "]
                .iter()
                .any(|table| row.starts_with(table))
                || row.contains(r#""state":"pending""#)
        };
        let at_rest = seen == last && !seen.iter().any(waits);
        last = seen;
        at_rest.then(|| last.clone())
    })
    .await
}

async fn rows(suite: &Suite, tenant: &TenantId) -> Vec<String> {
    let mut rows = Vec::new();
    for database in [&suite.places.leads, &suite.places.notifications] {
        let owner = PgPool::connect(secrecy::ExposeSecret::expose_secret(&database.owner_url))
            .await
            .unwrap();
        let tables: Vec<String> = sqlx::query_scalar(
            "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attname = 'tenant_id'
             order by 1",
        )
        .fetch_all(&owner)
        .await
        .unwrap();
        for table in tables {
            let of_table =
                format!("select '{table} ' || to_jsonb(t)::text from {table} t where tenant_id = $1 order by 1");
            let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(of_table))
                .bind(tenant.as_str())
                .fetch_all(&owner)
                .await
                .unwrap();
            rows.extend(found);
        }
        owner.close().await;
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_an_inbox_sees_no_namesake() {
    let suite = Suite::start().await;
    let wires = Wires::to(&suite);
    let tenants: [TenantId; 2] = ["huadong".parse().unwrap(), "huabei".parse().unwrap()];
    for tenant in &tenants {
        suite.set_up(tenant, &[MEMBER], 10).await;
    }
    let wire = suite.notifications(&tenants[1], Role::Sales, Some(MEMBER));
    let mut watched = InboxServiceClient::new(wire)
        .watch_inbox(WatchInboxRequest::default())
        .await
        .unwrap()
        .into_inner();
    let capture = async |tenant: &TenantId, company: &str| {
        let request = json!({"lead": {"source": "web", "externalId": company, "company": company}});
        wires
            .ask(&suite, tenant, "reflex.leads.v1.LeadService/CaptureLead", request)
            .await;
        eventually("the owner is told", async || {
            let request = json!({"recipient": MEMBER});
            let items = wires
                .ask(
                    &suite,
                    tenant,
                    "reflex.notifications.v1.InboxService/ListInboxItems",
                    request,
                )
                .await;
            items["items"].is_array()
        })
        .await;
    };
    capture(&tenants[0], MARK).await;
    capture(&tenants[1], "江苏恒瑞").await;
    let first = watched.message().await.unwrap().unwrap().item.unwrap();
    assert!(
        first.body.contains("江苏恒瑞") && !first.body.contains(MARK),
        "{}",
        first.body
    );
    drop(watched);
    suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rpc_takes_a_token_that_is_not_good_for_the_tenant() {
    let clock = Arc::new(FixedClock::new(fixture_time()));
    let suite = Suite::start_with(&clock).await;
    let wires = Wires::to(&suite);
    let (mine, theirs): (TenantId, TenantId) = ("huabei".parse().unwrap(), "huadong".parse().unwrap());
    let of = |tenant: &TenantId| ("x-reflex-tenant", tenant.to_string());
    let expired = suite.token(&[&theirs], Role::Admin, None);
    clock.advance(SignedDuration::from_hours(25));
    let token = suite.token(&[&mine], Role::Admin, None);
    let both = suite.token(&[&mine, &theirs], Role::Admin, None);
    let foreign = Suite::start_with(&clock).await;
    let stranger = foreign.token(&[&theirs], Role::Admin, None);
    foreign.stop().await;
    let parts: Vec<&str> = token.split('.').collect();
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let unsigned = format!("{header}.{}.", parts[1]);
    let tampered = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode("{}"), parts[2]);

    let (denied, unknown) = (
        (Code::PermissionDenied, Some(Reason::TenantDenied)),
        (Code::Unauthenticated, Some(Reason::Unauthenticated)),
    );
    let cases = [
        ("the token of another tenant", vec![bearer(&token), of(&theirs)], denied),
        ("no tenant though the token has two", vec![bearer(&both)], denied),
        (
            "two tenants at once",
            vec![bearer(&both), ("x-reflex-tenant", "huabei,huadong".into())],
            denied,
        ),
        ("no token", vec![of(&theirs)], unknown),
        ("an expired token", vec![bearer(&expired), of(&theirs)], unknown),
        (
            "a token of another issuer's key",
            vec![bearer(&stranger), of(&theirs)],
            unknown,
        ),
        ("alg none", vec![bearer(&unsigned), of(&mine)], unknown),
        ("changed claims", vec![bearer(&tampered), of(&mine)], unknown),
    ];
    for method in any_rpc::all() {
        for (case, headers, expected) in &cases {
            let status = wires.call(&method, headers, Bytes::new()).await.unwrap_err();
            assert_eq!(
                (status.code(), reason_of(&status)),
                *expected,
                "{} with {case}",
                path_of(&method)
            );
        }
    }
    suite.stop().await;
}
