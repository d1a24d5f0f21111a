//! `middleware`: a call that does nothing, with and without everything that surrounds our handlers.

use std::{sync::Arc, time::Duration};

use reflex_host::Environment;
use reflex_proto::leads::v1::{
    GetFormRequest, GetFormResponse, GetFormVersionRequest, GetFormVersionResponse, ListFormVersionsRequest,
    ListFormVersionsResponse, ListFormsRequest, ListFormsResponse, PublishFormRequest, PublishFormResponse,
    PutFormRequest, PutFormResponse, SubmitFormRequest, SubmitFormResponse,
    form_service_client::FormServiceClient,
    form_service_server::{FormService, FormServiceServer},
};
use reflex_rpc::{
    identity::Role,
    readiness::Readiness,
    serve::{ServeOptions, serve},
    server::{ServerOptions, ServerStack},
};
use tokio::{net::TcpListener, task::JoinSet};
use tonic::{
    Request, Response, Status,
    service::Routes,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};

use super::{
    ground::Ground,
    load::{Caller, closed_loop},
    measured::Measured,
    rounds::Contest,
};
use crate::suite::Wire;

const IN_FLIGHT: usize = 32;
const WIRES: usize = 4;
/// How long our server may take to stop.
const GRACE: Duration = Duration::from_secs(10);
const SERVICE: &str = "reflex.leads.v1.FormService";

/// Answers at once.
struct NoOp;

#[tonic::async_trait]
impl FormService for NoOp {
    async fn get_form(&self, _request: Request<GetFormRequest>) -> Result<Response<GetFormResponse>, Status> {
        Ok(Response::new(GetFormResponse::default()))
    }

    async fn put_form(&self, _request: Request<PutFormRequest>) -> Result<Response<PutFormResponse>, Status> {
        Ok(Response::new(PutFormResponse::default()))
    }

    async fn list_forms(&self, _request: Request<ListFormsRequest>) -> Result<Response<ListFormsResponse>, Status> {
        Ok(Response::new(ListFormsResponse::default()))
    }

    async fn publish_form(
        &self,
        _request: Request<PublishFormRequest>,
    ) -> Result<Response<PublishFormResponse>, Status> {
        Ok(Response::new(PublishFormResponse::default()))
    }

    async fn get_form_version(
        &self,
        _request: Request<GetFormVersionRequest>,
    ) -> Result<Response<GetFormVersionResponse>, Status> {
        Ok(Response::new(GetFormVersionResponse::default()))
    }

    async fn list_form_versions(
        &self,
        _request: Request<ListFormVersionsRequest>,
    ) -> Result<Response<ListFormVersionsResponse>, Status> {
        Ok(Response::new(ListFormVersionsResponse::default()))
    }

    async fn submit_form(&self, _request: Request<SubmitFormRequest>) -> Result<Response<SubmitFormResponse>, Status> {
        Ok(Response::new(SubmitFormResponse::default()))
    }
}

#[derive(Clone)]
struct BareCall(FormServiceClient<Channel>);

#[derive(Clone)]
struct OurCall(FormServiceClient<Wire>);

fn request() -> GetFormRequest {
    GetFormRequest {
        name: "forms/website".to_owned(),
    }
}

impl Caller for BareCall {
    async fn call(&mut self) -> anyhow::Result<()> {
        self.0.get_form(request()).await?;
        Ok(())
    }
}

impl Caller for OurCall {
    async fn call(&mut self) -> anyhow::Result<()> {
        self.0.get_form(request()).await?;
        Ok(())
    }
}

/// `middleware`.
pub(super) struct Middleware {
    bare: Vec<BareCall>,
    ours: Vec<OurCall>,
    environment: Environment,
    _serving: JoinSet<()>,
}

impl Middleware {
    pub(super) async fn start(ground: &Ground) -> anyhow::Result<Self> {
        let mut serving = JoinSet::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr()?))?.tcp_nodelay(true);
        serving.spawn(async move {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let server = Server::builder().add_service(FormServiceServer::new(NoOp));
            if let Err(error) = server.serve_with_incoming(incoming).await {
                eprintln!("    the bare server ended: {error}");
            }
        });
        let bare = (0..WIRES).map(|_| BareCall(FormServiceClient::new(endpoint.connect_lazy())));

        let environment = ground.environment()?;
        let url = serve_ours(&environment).await?;
        let tenant = "bench-east".parse()?;
        let wire = || ground.wire(&url, &tenant, Role::Integration);
        let ours: Vec<OurCall> = (0..WIRES)
            .map(|_| Ok(OurCall(FormServiceClient::new(wire()?))))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            bare: many(&bare.collect::<Vec<_>>()),
            ours: many(&ours),
            environment,
            _serving: serving,
        })
    }
}

/// Serves the same handler behind our stack, and returns where.
async fn serve_ours(environment: &Environment) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let readiness = Readiness::new(&[SERVICE]).await;
    let stack = ServerStack::new(ServerOptions {
        verifier: Arc::clone(&environment.verifier),
        timeout: Duration::from_secs(15),
        max_in_flight: 2_048,
    });
    let options = ServeOptions {
        listener,
        routes: Routes::new(FormServiceServer::new(NoOp)),
        readiness,
        packages: &["reflex.leads.v1"],
    };
    let stop = environment.tasks.stop();
    environment.tasks.spawn("bench-no-op", serve(options, stack, stop));
    Ok(url)
}

fn many<C: Clone>(callers: &[C]) -> Vec<C> {
    callers.iter().cycle().take(IN_FLIGHT).cloned().collect()
}

impl Contest for Middleware {
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        Ok(closed_loop(self.bare.clone(), span).await?.1)
    }

    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        Ok(closed_loop(self.ours.clone(), span).await?.1)
    }

    async fn leave(self) -> anyhow::Result<()> {
        // Its connections end with their callers.
        drop(self.ours);
        Ok(self.environment.tasks.shutdown(GRACE).await?)
    }
}
