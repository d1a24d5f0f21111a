//! A server over a real socket, with handlers that show what the stack did.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reflex_proto::platform::v1::{
    DeadLetter, DropDeadLetterRequest, DropDeadLetterResponse, GetDeadLetterRequest, GetDeadLetterResponse,
    ListDeadLettersRequest, ListDeadLettersResponse, ReplayDeadLetterRequest, ReplayDeadLetterResponse,
    dead_letter_service_client::DeadLetterServiceClient,
    dead_letter_service_server::{DeadLetterService, DeadLetterServiceServer},
};
use reflex_rpc::{
    auth::{Claims, KeyPair, Minter, Tenants, Verifier, generate_keys},
    client::{Authorized, connect},
    identity::{Caller, Role},
    readiness::Readiness,
    serve::{ServeOptions, serve},
    server::{ServerOptions, ServerStack},
    status,
};
use reflex_runtime::{
    clock::{SharedClock, SystemClock},
    tasks::Tasks,
    telemetry,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tonic::{
    Request, Response, Status,
    service::{Routes, interceptor::InterceptedService},
    transport::Channel,
};

/// Full name of the service that is served.
pub(crate) const SERVICE: &str = "reflex.platform.v1.DeadLetterService";

const ISSUER: &str = "test";

pub(crate) type Client = DeadLetterServiceClient<InterceptedService<Channel, Authorized>>;

/// Returns what a token of Zhang says.
pub(crate) fn claims(role: Role, tenants: &[&str]) -> Claims {
    Claims {
        subject: "zhang".to_owned(),
        tenants: Tenants::Of(tenants.iter().map(|tenant| tenant.parse().unwrap()).collect()),
        roles: vec![role],
        member: Some("members/zhang.wei".to_owned()),
    }
}

/// A running server and who may call it.
pub(crate) struct Harness {
    pub(crate) tasks: Tasks,
    pub(crate) url: String,
    pub(crate) readiness: Readiness,
    pub(crate) stack: ServerStack,
    /// Lets calls of `GetDeadLetter` go on.
    pub(crate) gate: Arc<Semaphore>,
    /// Calls of `GetDeadLetter` that wait.
    pub(crate) waiting: Arc<AtomicUsize>,
    clock: SharedClock,
    keys: KeyPair,
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::with_limits(Duration::from_secs(30), 64).await
    }

    pub(crate) async fn with_limits(timeout: Duration, max_in_flight: usize) -> Self {
        let clock: SharedClock = Arc::new(SystemClock::new());
        let keys = generate_keys();
        let verifier = Arc::new(Verifier::from_jwks(&keys.jwks_json, ISSUER, clock.clone()).unwrap());
        let stack = ServerStack::new(ServerOptions {
            verifier,
            timeout,
            max_in_flight,
        });
        let readiness = Readiness::new(&[SERVICE]).await;
        readiness.on().await;
        let (tasks, gate, waiting) = (Tasks::new(), Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut harness = Self {
            tasks,
            url: String::new(),
            readiness,
            stack,
            gate,
            waiting,
            clock,
            keys,
        };
        harness.listen(TcpListener::bind("127.0.0.1:0").await.unwrap());
        harness
    }

    /// Serves on `listener` until the tasks are stopped.
    pub(crate) fn listen(&mut self, listener: TcpListener) {
        self.url = format!("http://{}", listener.local_addr().unwrap());
        let options = ServeOptions {
            listener,
            routes: self.routes(),
            readiness: self.readiness.clone(),
            packages: &["reflex.platform.v1"],
        };
        self.tasks
            .spawn("server", serve(options, self.stack.clone(), self.tasks.stop()));
    }

    pub(crate) fn routes(&self) -> Routes {
        let handlers = Handlers {
            gate: self.gate.clone(),
            waiting: self.waiting.clone(),
        };
        Routes::new(DeadLetterServiceServer::new(handlers))
    }

    pub(crate) fn token(&self, claims: &Claims) -> String {
        let minter = Minter::new(&self.keys.private_pem, &self.keys.kid, ISSUER, self.clock.clone()).unwrap();
        minter.mint(claims, Duration::from_mins(10))
    }

    pub(crate) fn channel(&self) -> Channel {
        connect(&self.url, &self.tasks).unwrap()
    }

    /// Returns a client of the administrator of the tenant "huadong".
    pub(crate) fn client(&self) -> Client {
        let token = self.token(&claims(Role::Admin, &["huadong"]));
        DeadLetterServiceClient::with_interceptor(self.channel(), Authorized::with_token(&token).unwrap())
    }

    /// Waits until `count` calls are waiting at the gate.
    pub(crate) async fn wait_for_waiting(&self, count: usize) {
        while self.waiting.load(Ordering::SeqCst) != count {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn stop(self) {
        self.gate.add_permits(1_000);
        self.tasks.shutdown(Duration::from_secs(10)).await.unwrap();
    }
}

struct Handlers {
    gate: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl DeadLetterService for Handlers {
    /// Answers with who called.
    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let caller = Caller::of(&request)?;
        let dead_letters = vec![DeadLetter {
            name: caller.tenant.to_string(),
            subject: caller.subject.clone(),
            stream: caller.member.clone().unwrap_or_default(),
            reason: telemetry::current_traceparent().unwrap_or_default(),
            attempts: i32::from(caller.request_deadline.is_some()),
            ..DeadLetter::default()
        }];
        let next_page_token = caller.may("platform.dead_letters.write").to_string();
        Ok(Response::new(ListDeadLettersResponse {
            dead_letters,
            next_page_token,
        }))
    }

    /// Waits at the gate.
    async fn get_dead_letter(
        &self,
        _request: Request<GetDeadLetterRequest>,
    ) -> Result<Response<GetDeadLetterResponse>, Status> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _passed = self.gate.acquire().await.expect("the gate is never closed");
        Ok(Response::new(GetDeadLetterResponse::default()))
    }

    /// Panics.
    async fn replay_dead_letter(
        &self,
        request: Request<ReplayDeadLetterRequest>,
    ) -> Result<Response<ReplayDeadLetterResponse>, Status> {
        panic!("on purpose: {}", request.into_inner().name);
    }

    /// Fails.
    async fn drop_dead_letter(
        &self,
        _request: Request<DropDeadLetterRequest>,
    ) -> Result<Response<DropDeadLetterResponse>, Status> {
        Err(status::wrong_state("was replayed"))
    }
}
