//! A gateway in front of two services of the test.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use reflex_gateway::{Limits, Parts, Readiness};
use reflex_proto::leads::v1::{CaptureLeadRequest, CaptureLeadResponse, Form, GetFormRequest, GetFormResponse};
use reflex_rpc::{
    auth::{Minter, Verifier, generate_keys},
    identity::Role,
    status,
};
use reflex_runtime::tasks::Tasks;
use reflex_testing::{FixedClock, SeededIds, fixture_time};
use tokio::net::TcpListener;
use tonic::{
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

use crate::{
    backend::{Backend, Calls},
    client::Client,
};

pub(crate) const CAPTURE: &str = "/reflex.leads.v1.LeadService/CaptureLead";
pub(crate) const GET_FORM: &str = "/reflex.leads.v1.FormService/GetForm";
pub(crate) const KEY: &str = "wk_huadong_5Xr0pD2q";
pub(crate) const ORIGIN: &str = "https://www.example.cn";

pub(crate) struct Gateway {
    pub(crate) client: Client,
    pub(crate) leads: Backend,
    pub(crate) notifications: Backend,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) readiness: Readiness,
    pub(crate) tasks: Tasks,
    pub(crate) verifier: Arc<Verifier>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub(crate) async fn start_with(limits: Limits) -> Self {
        Self::assemble(limits, None).await
    }

    /// Leads is somewhere where nobody listens.
    pub(crate) async fn start_without_leads() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let nobody = Endpoint::try_from(address).unwrap().connect_lazy();
        Self::assemble(Limits::default(), Some(nobody)).await
    }

    async fn assemble(limits: Limits, nobody: Option<Channel>) -> Self {
        let tasks = Tasks::new();
        let clock = Arc::new(FixedClock::new(fixture_time()));
        let keys = generate_keys();
        let minter = Minter::new(&keys.private_pem, &keys.kid, "test", clock.clone()).unwrap();
        let verifier = Arc::new(Verifier::from_jwks(&keys.jwks_json, "test", clock.clone()).unwrap());
        let (leads, notifications) = (Backend::start(&tasks).await, Backend::start(&tasks).await);
        let backends = BTreeMap::from([
            ("leads".to_owned(), nobody.unwrap_or_else(|| leads.channel.clone())),
            ("notifications".to_owned(), notifications.channel.clone()),
        ]);
        let parts = Parts {
            limits,
            backends,
            minter,
            clock: clock.clone(),
            ids: Arc::new(SeededIds::new(1)),
            tasks: tasks.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = reflex_gateway::serve(parts, listener).unwrap();
        Self {
            client: Client::new(gateway.address),
            leads,
            notifications,
            clock,
            readiness: gateway.readiness,
            tasks,
            verifier,
        }
    }

    /// Lets leads have one form; it checks who asks.
    pub(crate) fn has_form(&self, form: Form) -> Calls {
        let verifier = Arc::clone(&self.verifier);
        self.leads.on(GET_FORM, move |_, metadata, request: GetFormRequest| {
            check_caller(&verifier, &metadata);
            let is_ours = metadata
                .get("x-reflex-tenant")
                .is_some_and(|tenant| tenant == "huadong");
            if is_ours && request.name == form.name {
                Ok(GetFormResponse {
                    form: Some(form.clone()),
                })
            } else {
                Err(status::not_found(request.name))
            }
        })
    }

    /// Lets leads take every lead; returns the last one.
    pub(crate) fn takes_leads(&self) -> (Calls, Arc<parking_lot::Mutex<Option<CaptureLeadRequest>>>) {
        let last = Arc::new(parking_lot::Mutex::new(None));
        let (verifier, kept) = (Arc::clone(&self.verifier), Arc::clone(&last));
        let calls = self.leads.on(CAPTURE, move |_, metadata, request: CaptureLeadRequest| {
            check_caller(&verifier, &metadata);
            *kept.lock() = Some(request);
            Ok(captured())
        });
        (calls, last)
    }

    /// Stops and checks that nothing died.
    pub(crate) async fn stop(self) {
        drop(self.client);
        self.tasks.shutdown(Duration::from_secs(10)).await.unwrap();
    }
}

/// The gateway acts in its own name, for the tenant of the write key.
fn check_caller(verifier: &Verifier, metadata: &MetadataMap) {
    let token = metadata.get("authorization").unwrap().to_str().unwrap();
    let identity = verifier.verify(token.strip_prefix("Bearer ").unwrap()).unwrap();
    assert_eq!(identity.claims.subject, "gateway");
    assert_eq!(identity.claims.roles, [Role::Service]);
}

pub(crate) fn captured() -> CaptureLeadResponse {
    CaptureLeadResponse {
        name: "leads/0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".to_owned(),
        number: "L000123".to_owned(),
        existed: false,
        ..CaptureLeadResponse::default()
    }
}

pub(crate) fn form() -> Form {
    Form {
        name: "forms/contact".to_owned(),
        source: "website".to_owned(),
        write_key: KEY.to_owned(),
        allowed_origins: vec![ORIGIN.to_owned()],
        default_product: "骨科耗材".to_owned(),
        enabled: true,
        ..Form::default()
    }
}
