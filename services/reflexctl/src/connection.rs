//! The way to the services: addresses, token, tenant, and calls that need no generated client.

use std::path::Path;
use std::time::Duration;

use http::uri::PathAndQuery;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use reflex_tenancy::TenantId;
use serde::Deserialize;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use crate::bundle::Owner;
use crate::dynamic::DynamicCodec;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// What `make up` leaves in its data folder.
pub(crate) const CLIENT_FILE: &str = "client.toml";

/// Waits between the tries of a call that may be repeated.
const RETRY_AFTER: [Duration; 3] = [
    Duration::from_millis(20),
    Duration::from_millis(80),
    Duration::from_millis(320),
];

/// A channel that names caller and tenant with each call.
pub type Wire = InterceptedService<Channel, Credentials>;

/// Where the services are and who calls.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Address {
    /// The leads service, for example `http://127.0.0.1:50051`.
    pub server: Option<String>,
    /// The notifications service.
    pub notifications: Option<String>,
    /// The caller's token.
    pub token: Option<String>,
    /// The tenant to act for; may be left out when the token has only one.
    pub tenant: Option<TenantId>,
}

/// The services as one caller sees them; connects with the first call.
#[derive(Clone, Debug)]
pub struct Connection {
    leads: Option<Channel>,
    notifications: Option<Channel>,
    credentials: Credentials,
}

/// The caller's token and the tenant they act for, as call metadata.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    authorization: Option<MetadataValue<Ascii>>,
    tenant: Option<MetadataValue<Ascii>>,
}

/// Why there is no way to a service.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// Nobody said where it is.
    #[error("no address of the {service} service: start everything with `make up`, or give {flag} or {variable}")]
    NoAddress {
        /// The service.
        service: &'static str,
        /// The flag that names it.
        flag: &'static str,
        /// The variable that names it.
        variable: &'static str,
    },
    /// An address is no URL.
    #[error("{url:?} is no address such as http://127.0.0.1:50051")]
    Url {
        /// The text.
        url: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// The token has characters that no token has.
    #[error("the token has line breaks or other characters that no token has")]
    Token,
}

impl Address {
    /// Returns this address with what it leaves out taken from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            server: self.server.or(other.server),
            notifications: self.notifications.or(other.notifications),
            token: self.token.or(other.token),
            tenant: self.tenant.or(other.tenant),
        }
    }

    /// Reads `client.toml` of a data folder; an empty address when there is none.
    ///
    /// # Errors
    ///
    /// Fails when the file is there and cannot be read.
    pub fn of_data_dir(folder: &Path) -> Result<Self, reflex_runtime::config::ConfigError> {
        let file = folder.join(CLIENT_FILE);
        if !file.exists() {
            return Ok(Self::default());
        }
        reflex_runtime::config::load("", Some(&file), "REFLEX_CLIENT")
    }
}

impl Connection {
    /// Prepares the way; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Url`] and [`ConnectionError::Token`].
    pub fn new(address: &Address) -> Result<Self, ConnectionError> {
        let open = |url: &Option<String>| url.as_deref().map(channel).transpose();
        let token = address.token.as_deref().map(str::trim);
        let authorization = token.map(|token| format!("Bearer {token}").parse()).transpose();
        let mut authorization: Option<MetadataValue<Ascii>> = authorization.map_err(|_| ConnectionError::Token)?;
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        Ok(Self {
            leads: open(&address.server)?,
            notifications: open(&address.notifications)?,
            credentials: Credentials {
                authorization,
                tenant: address.tenant.as_ref().map(tenant_value),
            },
        })
    }

    /// Returns the same way for another tenant.
    #[must_use]
    pub fn of_tenant(&self, tenant: &TenantId) -> Self {
        let mut other = self.clone();
        other.credentials.tenant = Some(tenant_value(tenant));
        other
    }

    /// Returns the channel for generated clients.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::NoAddress`].
    pub fn to(&self, owner: Owner) -> Result<Wire, ConnectionError> {
        let (channel, service, flag, variable) = match owner {
            Owner::Leads => (&self.leads, "leads", "--server", "REFLEX_SERVER"),
            Owner::Notifications => {
                let channel = &self.notifications;
                (channel, "notifications", "--notifications", "REFLEX_NOTIFICATIONS")
            }
        };
        let channel = channel.clone().ok_or(ConnectionError::NoAddress {
            service,
            flag,
            variable,
        })?;
        Ok(InterceptedService::new(channel, self.credentials.clone()))
    }

    /// Makes a call that is safe to repeat: a read, or a write with a request id.
    ///
    /// # Errors
    ///
    /// The service's answer; UNAVAILABLE only after some retries.
    pub async fn call(
        &self,
        owner: Owner,
        method: &MethodDescriptor,
        request: DynamicMessage,
    ) -> Result<DynamicMessage, Status> {
        let wire = self.to(owner).map_err(|error| Status::unavailable(error.to_string()))?;
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let path = PathAndQuery::try_from(path).map_err(|error| Status::unknown(error.to_string()))?;
        retry(async || {
            let mut client = tonic::client::Grpc::new(wire.clone());
            client
                .ready()
                .await
                .map_err(|error| Status::unavailable(error.to_string()))?;
            let codec = DynamicCodec::new(method.output());
            let answer = client.unary(Request::new(request.clone()), path.clone(), codec).await?;
            Ok(answer.into_inner())
        })
        .await
    }
}

/// Repeats a call while the service is unavailable.
pub(crate) async fn retry<T>(call: impl AsyncFn() -> Result<T, Status>) -> Result<T, Status> {
    for delay in RETRY_AFTER {
        match call().await {
            Err(status) if status.code() == Code::Unavailable => tokio::time::sleep(delay).await,
            answer => return answer,
        }
    }
    call().await
}

fn channel(url: &str) -> Result<Channel, ConnectionError> {
    let wrong = |source| ConnectionError::Url {
        url: url.to_owned(),
        source,
    };
    let mut endpoint = Endpoint::from_shared(url.to_owned()).map_err(wrong)?;
    if url.starts_with("https://") {
        let tls = ClientTlsConfig::new().with_webpki_roots();
        endpoint = endpoint.tls_config(tls).map_err(wrong)?;
    }
    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(CALL_TIMEOUT);
    Ok(endpoint.connect_lazy())
}

fn tenant_value(tenant: &TenantId) -> MetadataValue<Ascii> {
    tenant.as_str().parse().expect("a tenant id is ASCII")
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        if let Some(authorization) = &self.authorization {
            metadata.insert("authorization", authorization.clone());
        }
        if let Some(tenant) = &self.tenant {
            metadata.insert("x-reflex-tenant", tenant.clone());
        }
        Ok(request)
    }
}
