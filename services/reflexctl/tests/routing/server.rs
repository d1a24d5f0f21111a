//! A routing service that keeps one table and refuses what says so.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use parking_lot::Mutex;
use reflex_proto::leads::v1::routing_policy::Entry;
use reflex_proto::leads::v1::routing_policy_finding::Code as FindingCode;
use reflex_proto::leads::v1::{
    ActivateRoutingPolicyRequest, ActivateRoutingPolicyResponse, CheckRoutingPolicyRequest, CheckRoutingPolicyResponse,
    ExportRoutingTableRequest, ExportRoutingTableResponse, GetRoutingPolicyRequest, GetRoutingPolicyResponse,
    ImportRoutingTableRequest, ImportRoutingTableResponse, PutRoutingPolicyRequest, PutRoutingPolicyResponse,
    RoutingPolicy, RoutingPolicyFinding,
};
use tonic::Status;
use tonic::service::Routes;
use tonic_prost::ProstCodec;

/// The table of version 1, hard on whoever reads and writes it.
pub(crate) const TABLE: &str =
    "\u{feff}地域,产品,条件,团队,技能\r\n华东,\"螺钉, 空心\",\"'-预算 < 0\n且 有电话\",张组,医保;骨科\r\n";
/// The version that is refused.
pub(crate) const REFUSED: i32 = 4;

/// A running server; it ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) url: String,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    imports: Mutex<Vec<ImportRoutingTableRequest>>,
    puts: Mutex<Vec<(String, PutRoutingPolicyRequest)>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let kept = Arc::new(Kept::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Routes::from(Router::new().fallback(answer).with_state(Arc::clone(&kept)));
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let serving = tonic::transport::Server::builder()
            .add_routes(routes)
            .serve_with_incoming(incoming);
        #[expect(clippy::disallowed_methods, reason = "ends with the test's own runtime")]
        tokio::spawn(serving);
        Self { url, kept }
    }

    /// Every import so far.
    pub(crate) fn imports(&self) -> Vec<ImportRoutingTableRequest> {
        self.kept.imports.lock().clone()
    }

    /// Every policy put so far, with the tenant it was for.
    pub(crate) fn puts(&self) -> Vec<(String, PutRoutingPolicyRequest)> {
        self.kept.puts.lock().clone()
    }
}

async fn answer(State(kept): State<Arc<Kept>>, request: Request) -> Response {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let tenant = request.headers().get("x-reflex-tenant");
    let tenant = tenant
        .map(|tenant| tenant.to_str().unwrap().to_owned())
        .unwrap_or_default();
    match method.as_str() {
        "ExportRoutingTable" => {
            unary(request, |asked: ExportRoutingTableRequest| {
                Ok(ExportRoutingTableResponse {
                    csv: TABLE.as_bytes().to_vec(),
                    version: asked.version.max(1),
                })
            })
            .await
        }
        "ImportRoutingTable" => unary(request, |asked| kept.import(asked)).await,
        "PutRoutingPolicy" => {
            unary(request, |asked: PutRoutingPolicyRequest| {
                kept.puts.lock().push((tenant, asked.clone()));
                let policy = RoutingPolicy {
                    version: 2,
                    ..asked.policy.unwrap_or_default()
                };
                Ok(PutRoutingPolicyResponse {
                    policy: Some(policy),
                    ..PutRoutingPolicyResponse::default()
                })
            })
            .await
        }
        "CheckRoutingPolicy" => {
            unary(request, |asked: CheckRoutingPolicyRequest| {
                let findings: Vec<_> = (asked.version == REFUSED).then(finding).into_iter().collect();
                Ok(CheckRoutingPolicyResponse {
                    activatable: findings.is_empty(),
                    finding_count: i32::from(!findings.is_empty()),
                    findings,
                })
            })
            .await
        }
        "ActivateRoutingPolicy" => {
            unary(request, |asked: ActivateRoutingPolicyRequest| match asked.version {
                REFUSED => Err(Status::failed_precondition("1 thing stands in the way")),
                _ => Ok(ActivateRoutingPolicyResponse {
                    previous_version: 1,
                    ..ActivateRoutingPolicyResponse::default()
                }),
            })
            .await
        }
        "GetRoutingPolicy" => {
            unary(request, |asked: GetRoutingPolicyRequest| {
                let entry = Entry {
                    team: format!("teams/t{}", asked.version),
                    ..Entry::default()
                };
                let policy = RoutingPolicy {
                    version: asked.version,
                    entries: vec![entry],
                    ..RoutingPolicy::default()
                };
                Ok(GetRoutingPolicyResponse {
                    policy: Some(policy),
                    ..GetRoutingPolicyResponse::default()
                })
            })
            .await
        }
        _ => {
            unary(request, |_: GetRoutingPolicyRequest| {
                Err::<GetRoutingPolicyResponse, _>(Status::unimplemented(method))
            })
            .await
        }
    }
}

impl Kept {
    fn import(&self, asked: ImportRoutingTableRequest) -> Result<ImportRoutingTableResponse, Status> {
        let wrong = !asked.csv.starts_with("\u{feff}".as_bytes());
        let findings = if wrong { vec![finding()] } else { Vec::new() };
        if wrong && !asked.validate_only {
            return Err(Status::failed_precondition("1 thing stands in the way"));
        }
        if !asked.validate_only {
            self.imports.lock().push(asked);
        }
        Ok(ImportRoutingTableResponse {
            policy: Some(RoutingPolicy {
                version: 2,
                ..RoutingPolicy::default()
            }),
            finding_count: i32::from(wrong),
            findings,
        })
    }
}

fn finding() -> RoutingPolicyFinding {
    RoutingPolicyFinding {
        code: FindingCode::UnknownTeam.into(),
        refuses: true,
        number: 1,
        zh: "第 1 条（任何地域 × 任何产品）：团队 teams/no 不存在".to_owned(),
        en: "entry 1 (any territory × any product): team teams/no does not exist".to_owned(),
        ..RoutingPolicyFinding::default()
    }
}

async fn unary<Q, A>(request: Request, answer: impl FnOnce(Q) -> Result<A, Status>) -> Response
where
    Q: prost::Message + Default + Send + 'static,
    A: prost::Message + Send + 'static,
{
    let mut answer = Some(answer);
    let service = tower::service_fn(move |request: tonic::Request<Q>| {
        let answer = answer.take().expect("a call has one request");
        std::future::ready(answer(request.into_inner()).map(tonic::Response::new))
    });
    let mut grpc = tonic::server::Grpc::new(ProstCodec::<A, Q>::default());
    grpc.unary(service, request).await.map(Body::new)
}
