//! The server stack over a real socket.

use std::time::Duration;

use http::{HeaderMap, Request as HttpRequest};
use reflex_proto::platform::v1::{
    DropDeadLetterRequest, GetDeadLetterRequest, ListDeadLettersRequest, Reason, ReplayDeadLetterRequest,
    dead_letter_service_client::DeadLetterServiceClient,
};
use reflex_rpc::{
    auth::{Claims, Tenants},
    client::{Authorized, RetryBudget, connect, retry},
    identity::Role,
    readiness::{LIVENESS, Readiness},
    serve::{ServeError, ServeOptions, serve},
    status::reason_of,
};
use tokio::net::TcpListener;
use tonic::{Code, Request, Status, body::Body, metadata::MetadataValue, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tonic_types::StatusExt as _;
use tower::{Layer as _, ServiceExt as _};

use crate::harness::{Harness, SERVICE, claims};

#[tokio::test]
async fn a_handler_knows_its_caller() {
    let harness = Harness::start().await;
    let answer = harness
        .client()
        .list_dead_letters(ListDeadLettersRequest::default())
        .await
        .unwrap()
        .into_inner();
    let letter = &answer.dead_letters[0];
    assert_eq!((letter.name.as_str(), letter.subject.as_str()), ("huadong", "zhang"));
    assert_eq!(letter.stream, "members/zhang.wei");
    assert_eq!(letter.attempts, 1, "there always is a deadline");
    assert_eq!(answer.next_page_token, "true");
    harness.stop().await;
}

#[tokio::test]
async fn who_may_not_is_told_why() {
    let harness = Harness::start().await;
    let admin = harness.token(&claims(Role::Admin, &["huadong"]));
    let of_two = harness.token(&claims(Role::Admin, &["huadong", "huabei"]));
    let viewer = harness.token(&claims(Role::Viewer, &["huadong"]));
    let nowhere = harness.token(&claims(Role::Admin, &[]));
    let service = Claims {
        tenants: Tenants::Every,
        ..claims(Role::Service, &[])
    };
    let service = harness.token(&service);
    let long = "a".repeat(9_000);
    for (authorization, tenant, expected) in [
        (vec![], None, Reason::Unauthenticated),
        (vec![String::new()], None, Reason::Unauthenticated),
        (vec![admin.clone()], None, Reason::Unauthenticated),
        (vec![format!("Basic {admin}")], None, Reason::Unauthenticated),
        (
            vec![format!("Bearer {admin}"), format!("Bearer {admin}")],
            None,
            Reason::Unauthenticated,
        ),
        (vec![format!("Bearer {admin}x")], None, Reason::Unauthenticated),
        (vec![format!("Bearer {long}")], None, Reason::Unauthenticated),
        (vec![format!("Bearer {admin}")], Some("huabei"), Reason::TenantDenied),
        (vec![format!("Bearer {admin}")], Some("Hua Bei"), Reason::TenantDenied),
        (vec![format!("Bearer {admin}")], Some(""), Reason::TenantDenied),
        (vec![format!("Bearer {of_two}")], None, Reason::TenantDenied),
        (vec![format!("Bearer {nowhere}")], None, Reason::TenantDenied),
        (vec![format!("Bearer {service}")], None, Reason::TenantDenied),
        (
            vec![format!("Bearer {service}")],
            Some("huadong"),
            Reason::PermissionDenied,
        ),
        (vec![format!("Bearer {viewer}")], None, Reason::PermissionDenied),
    ] {
        let mut request = Request::new(ListDeadLettersRequest::default());
        for value in &authorization {
            request.metadata_mut().append("authorization", value.parse().unwrap());
        }
        if let Some(tenant) = tenant {
            request
                .metadata_mut()
                .insert("x-reflex-tenant", tenant.parse().unwrap());
        }
        let status = DeadLetterServiceClient::new(harness.channel())
            .list_dead_letters(request)
            .await
            .unwrap_err();
        let code = if expected == Reason::Unauthenticated {
            Code::Unauthenticated
        } else {
            Code::PermissionDenied
        };
        assert_eq!(
            (status.code(), reason_of(&status)),
            (code, Some(expected)),
            "{authorization:?} {tenant:?}"
        );
    }

    let chosen = Authorized::with_token(&of_two)
        .unwrap()
        .for_tenant(&"huabei".parse().unwrap());
    let mut client = DeadLetterServiceClient::with_interceptor(harness.channel(), chosen);
    let answer = client
        .list_dead_letters(ListDeadLettersRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.dead_letters[0].name, "huabei");
    harness.stop().await;
}

#[tokio::test]
async fn a_token_of_a_megabyte_does_not_get_through() {
    let harness = Harness::start().await;
    let mut request = Request::new(ListDeadLettersRequest::default());
    let token = MetadataValue::try_from(format!("Bearer {}", "a".repeat(1 << 20))).unwrap();
    request.metadata_mut().insert("authorization", token);
    let refused = DeadLetterServiceClient::new(harness.channel())
        .list_dead_letters(request)
        .await;
    assert!(refused.is_err());
    assert!(
        harness
            .client()
            .list_dead_letters(ListDeadLettersRequest::default())
            .await
            .is_ok(),
        "others go on"
    );
    harness.stop().await;
}

#[tokio::test]
async fn failures_and_panics_stay_with_their_call() {
    let harness = Harness::start().await;
    let mut client = harness.client();
    let failed = client
        .drop_dead_letter(DropDeadLetterRequest::default())
        .await
        .unwrap_err();
    assert_eq!(reason_of(&failed), Some(Reason::WrongState));

    let mut neighbour = client.clone();
    let waiting = tokio::join!(neighbour.get_dead_letter(GetDeadLetterRequest::default()), async {
        harness.wait_for_waiting(1).await;
        let name = "13800138000".to_owned();
        let request = ReplayDeadLetterRequest {
            name,
            ..ReplayDeadLetterRequest::default()
        };
        let panicked = client.replay_dead_letter(request).await.unwrap_err();
        assert_eq!(
            (panicked.code(), reason_of(&panicked)),
            (Code::Internal, Some(Reason::Internal))
        );
        assert!(
            !format!("{panicked:?}").contains("13800138000"),
            "what was said stays inside"
        );
        harness.gate.add_permits(1);
    });
    assert!(waiting.0.is_ok(), "a call on the same connection goes on");
    harness.stop().await;
}

#[tokio::test]
async fn a_full_server_refuses_at_once_and_recovers() {
    let harness = Harness::with_limits(Duration::from_secs(30), 1).await;
    let mut waiting = harness.client();
    let (first, ()) = tokio::join!(waiting.get_dead_letter(GetDeadLetterRequest::default()), async {
        harness.wait_for_waiting(1).await;
        let refused = harness
            .client()
            .list_dead_letters(ListDeadLettersRequest::default())
            .await
            .unwrap_err();
        assert_eq!(
            (refused.code(), reason_of(&refused)),
            (Code::ResourceExhausted, Some(Reason::Overloaded))
        );
        assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());
        assert_eq!(
            health(harness.channel(), SERVICE).await,
            Ok(ServingStatus::Serving),
            "it is alive"
        );
        harness.gate.add_permits(1);
    });
    assert!(first.is_ok());
    assert!(
        harness
            .client()
            .list_dead_letters(ListDeadLettersRequest::default())
            .await
            .is_ok()
    );
    harness.stop().await;
}

#[tokio::test]
async fn a_call_given_up_makes_room() {
    let harness = Harness::with_limits(Duration::from_secs(30), 1).await;
    let mut impatient = harness.client();
    tokio::select! {
        _answer = impatient.get_dead_letter(GetDeadLetterRequest::default()) => unreachable!("nobody opens the gate"),
        () = harness.wait_for_waiting(1) => {}
    }
    drop(impatient);
    let mut client = harness.client();
    while client
        .list_dead_letters(ListDeadLettersRequest::default())
        .await
        .is_err()
    {
        tokio::task::yield_now().await;
    }
    harness.stop().await;
}

#[tokio::test]
async fn the_deadline_of_server_and_caller_ends_a_call() {
    let harness = Harness::with_limits(Duration::from_millis(20), 64).await;
    let late = harness
        .client()
        .get_dead_letter(GetDeadLetterRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        (late.code(), reason_of(&late)),
        (Code::DeadlineExceeded, Some(Reason::DeadlineExceeded))
    );
    harness.stop().await;

    // Below the transport, whose own client would give up at the same moment.
    let harness = Harness::start().await;
    for timeout in ["20m", "0m"] {
        let headers = call(&harness, "GetDeadLetter", &[("grpc-timeout", timeout)]).await;
        let status = Status::from_header_map(&headers).unwrap();
        assert_eq!(
            (status.code(), reason_of(&status)),
            (Code::DeadlineExceeded, Some(Reason::DeadlineExceeded))
        );
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_method_that_no_proto_knows_is_not_served() {
    let harness = Harness::start().await;
    let status = Status::from_header_map(&call(&harness, "ListSecrets", &[]).await).unwrap();
    assert_eq!(status.code(), Code::Unimplemented);
    harness.stop().await;
}

#[tokio::test]
async fn health_follows_readiness() {
    let harness = Harness::start().await;
    for (name, ready, unready) in [
        (SERVICE, Ok(ServingStatus::Serving), Ok(ServingStatus::NotServing)),
        (LIVENESS, Ok(ServingStatus::Serving), Ok(ServingStatus::Serving)),
        ("", Ok(ServingStatus::Serving), Ok(ServingStatus::Serving)),
        ("reflex.leads.v1.LeadService", Err(Code::NotFound), Err(Code::NotFound)),
    ] {
        assert_eq!(health(harness.channel(), name).await, ready, "{name:?}");
        harness.readiness.off().await;
        assert_eq!(health(harness.channel(), name).await, unready, "{name:?}");
        harness.readiness.on().await;
    }
    harness.stop().await;
}

#[tokio::test]
async fn reflection_shows_this_api_and_no_other() {
    let harness = Harness::start().await;
    let MessageResponse::ListServicesResponse(listed) =
        reflect(&harness, MessageRequest::ListServices(String::new())).await
    else {
        panic!("services are listed")
    };
    let mut services: Vec<_> = listed.service.into_iter().map(|service| service.name).collect();
    services.sort_unstable();
    assert_eq!(services, ["grpc.health.v1.Health", SERVICE]);
    for symbol in [
        SERVICE,
        "reflex.platform.v1.DeadLetter",
        "google.rpc.ErrorInfo",
        "google.protobuf.Timestamp",
    ] {
        let found = reflect(&harness, MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
        assert!(matches!(found, MessageResponse::FileDescriptorResponse(_)), "{symbol}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_server_with_an_unknown_service_does_not_start() {
    let harness = Harness::start().await;
    let options = ServeOptions {
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        routes: harness.routes(),
        readiness: Readiness::new(&["reflex.secret.v1.SecretService"]).await,
        packages: &[],
    };
    let started = serve(options, harness.stack.clone(), harness.tasks.stop()).await;
    assert!(matches!(started, Err(ServeError::Unprotected(_))));
    harness.stop().await;
}

#[tokio::test]
async fn a_stop_lets_running_calls_end() {
    let harness = Harness::start().await;
    let mut client = harness.client();
    let (answer, stopped) = tokio::join!(client.get_dead_letter(GetDeadLetterRequest::default()), async {
        harness.wait_for_waiting(1).await;
        harness.tasks.stop().cancel();
        harness.gate.add_permits(1);
        harness.tasks.shutdown(Duration::from_secs(10)).await
    });
    assert!(answer.is_ok() && stopped.is_ok());
}

#[tokio::test]
async fn a_client_finds_a_server_by_name_and_again_after_its_restart() {
    let mut first = Harness::start().await;
    let port = first.url.rsplit_once(':').unwrap().1.to_owned();
    let token = first.token(&claims(Role::Admin, &["huadong"]));
    let own = reflex_runtime::tasks::Tasks::new();
    let channel = connect(&format!("http://localhost:{port}"), &own).unwrap();
    let client = DeadLetterServiceClient::with_interceptor(channel, Authorized::with_token(&token).unwrap());
    let list = || {
        let mut client = client.clone();
        async move { client.list_dead_letters(ListDeadLettersRequest::default()).await }
    };
    let budget = RetryBudget::default();
    assert!(retry(&budget, None, list).await.is_ok());

    first.tasks.shutdown(Duration::from_secs(10)).await.unwrap();
    let down = retry(&budget, None, list).await.unwrap_err();
    assert_eq!(
        down.code(),
        Code::Unavailable,
        "at once, and not when the deadline ends: {down}"
    );

    first.tasks = reflex_runtime::tasks::Tasks::new();
    first.listen(TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap());
    while list().await.is_err() {
        tokio::task::yield_now().await;
    }
    first.stop().await;
    own.shutdown(Duration::from_secs(10)).await.unwrap();
}

/// Makes a call of the administrator directly at the stack and returns the head of the answer.
async fn call(harness: &Harness, method: &str, headers: &[(&'static str, &str)]) -> HeaderMap {
    let token = harness.token(&claims(Role::Admin, &["huadong"]));
    let mut request = HttpRequest::post(format!("http://test/{SERVICE}/{method}"))
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {token}"));
    for &(name, value) in headers {
        request = request.header(name, value);
    }
    // An empty message of gRPC: no compression, no bytes.
    let body = Body::new(http_body_util::Full::new(vec![0; 5].into()));
    let answer = harness
        .stack
        .layer(harness.routes())
        .oneshot(request.body(body).unwrap())
        .await;
    answer.unwrap_or_else(|never| match never {}).headers().clone()
}

async fn health(channel: Channel, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(channel).check(request).await;
    answer
        .map(|answer| answer.into_inner().status())
        .map_err(|status| status.code())
}

async fn reflect(harness: &Harness, question: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    let mut client = ServerReflectionClient::new(harness.channel());
    let mut answers = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    answers.message().await.unwrap().unwrap().message_response.unwrap()
}
