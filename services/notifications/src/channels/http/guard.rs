//! Opens connections, but none into the own network that nobody allowed: the address a tenant gave is a name, and only
//! now it shows where the name leads. What was checked is what is connected to, so a name that changes its mind in
//! between gains nothing.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use ::http::Uri;
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::{HttpConnector, dns::Name};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tower::Service;

use crate::domain::{
    address::is_public,
    channel::{EndpointRules, Reach},
};

/// Tells where a name leads.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

type BoxError = Box<dyn Error + Send + Sync>;

/// Asks the system.
pub(super) fn system_lookup() -> Lookup {
    Arc::new(|host| Box::pin(async move { Ok(lookup_host((host, 0)).await?.collect()) }))
}

/// A connection was not opened because of where it would have led.
#[derive(Debug, thiserror::Error)]
#[error("the address leads to where messages must not go")]
pub(super) struct Forbidden;

/// The connector that asks the rules first.
#[derive(Clone)]
pub(super) struct Guard {
    rules: Arc<EndpointRules>,
    lookup: Lookup,
    anywhere: HttpConnector<Resolver>,
    public: HttpConnector<Resolver>,
}

impl Guard {
    pub(super) fn new(rules: Arc<EndpointRules>, lookup: Lookup, patience: Duration) -> Self {
        let connector = |lookup, reach| {
            let mut tcp = HttpConnector::new_with_resolver(Resolver { lookup, reach });
            tcp.enforce_http(false);
            tcp.set_nodelay(true);
            tcp.set_connect_timeout(Some(patience));
            tcp
        };
        Self {
            rules,
            anywhere: connector(Arc::clone(&lookup), Reach::Anywhere),
            public: connector(Arc::clone(&lookup), Reach::Public),
            lookup,
        }
    }

    /// Tells where a host leads, or that nobody may go there.
    pub(super) async fn find(&self, host: &str, reach: Reach) -> Result<Vec<SocketAddr>, BoxError> {
        let resolver = Resolver {
            lookup: Arc::clone(&self.lookup),
            reach,
        };
        resolver.find(host.to_owned()).await
    }
}

impl Service<Uri> for Guard {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    /// Neither connector ever makes anybody wait.
    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // Hosts that are numbers do not come by the resolver, and are only allowed where everything is.
        let mut connector = match self.rules.reach(&uri) {
            Ok(Reach::Anywhere) => self.anywhere.clone(),
            Ok(Reach::Public) => self.public.clone(),
            Err(_reason) => return Box::pin(async { Err(Forbidden.into()) }),
        };
        Box::pin(async move { Ok(connector.call(uri).await?) })
    }
}

#[derive(Clone)]
struct Resolver {
    lookup: Lookup,
    reach: Reach,
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move { Ok(resolver.find(name.as_str().to_owned()).await?.into_iter()) })
    }
}

impl Resolver {
    async fn find(&self, host: String) -> Result<Vec<SocketAddr>, BoxError> {
        let addresses = (self.lookup)(host).await?;
        // A name with both kinds of addresses is no accident: none of them is tried.
        let is_inside = |address: &SocketAddr| !is_public(address.ip());
        if self.reach == Reach::Public && addresses.iter().any(is_inside) {
            return Err(Forbidden.into());
        }
        Ok(addresses)
    }
}
