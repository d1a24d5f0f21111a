//! The services behind the gateway, and calls to them.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::Stream;
use http::uri::PathAndQuery;
use prost::bytes::Bytes;
use reflex_rpc::client::{RetryBudget, retry};
use tokio::time::{Instant, timeout_at};
use tonic::{Status, Streaming, client::Grpc, transport::Channel};

use crate::{call::Call, codec::RawCodec, problem::Problem};

/// One service behind the gateway.
pub(crate) struct Backend {
    /// Name, for example "leads"; its package is `reflex.leads.v1`.
    pub(crate) name: String,
    pub(crate) channel: Channel,
    budget: RetryBudget,
}

/// All services behind the gateway by name.
pub(crate) struct Backends(BTreeMap<String, Arc<Backend>>);

impl Backends {
    pub(crate) fn new(channels: BTreeMap<String, Channel>) -> Self {
        let backends = channels.into_iter().map(|(name, channel)| {
            let backend = Backend {
                name: name.clone(),
                channel,
                budget: RetryBudget::default(),
            };
            (name, Arc::new(backend))
        });
        Self(backends.collect())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Backend>> {
        self.0.get(name)
    }

    /// Returns the service of a package such as `reflex.customer_health.v1`, whose service is "customer-health".
    pub(crate) fn of_package(&self, package: &str) -> Option<&Arc<Backend>> {
        let area = package.strip_prefix("reflex.")?.strip_suffix(".v1")?;
        self.find(&area.replace('_', "-"))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Backend>> {
        self.0.values()
    }

    pub(crate) fn names(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl Backend {
    /// Returns the package the service serves.
    pub(crate) fn package(&self) -> String {
        format!("reflex.{}.v1", self.name.replace('-', "_"))
    }

    /// Sends one message and returns the answer. A call that may be repeated is, when it did not get through.
    pub(crate) async fn unary(
        &self,
        path: &PathAndQuery,
        message: Bytes,
        call: &Call,
        repeatable: bool,
    ) -> Result<Bytes, Problem> {
        let once = || async {
            let mut grpc = self.ready().await?;
            let answer = grpc
                .unary(call.request(Ok(message.clone())), path.clone(), RawCodec)
                .await?;
            Ok(answer.into_inner())
        };
        if repeatable {
            let deadline = call.deadline.map(Instant::into_std);
            until(call.deadline, retry(&self.budget, deadline, once)).await
        } else {
            until(call.deadline, once()).await
        }
    }

    /// Sends one message and returns the stream of answers.
    pub(crate) async fn server_streaming(
        &self,
        path: &PathAndQuery,
        message: Bytes,
        call: &Call,
    ) -> Result<Streaming<Bytes>, Problem> {
        let begin = async {
            let mut grpc = self.ready().await?;
            grpc.server_streaming(call.request(Ok(message)), path.clone(), RawCodec)
                .await
        };
        Ok(until(call.deadline, begin).await?.into_inner())
    }

    /// Sends a stream of messages and returns the one answer. A failure in the stream resets the call.
    pub(crate) async fn client_streaming(
        &self,
        path: &PathAndQuery,
        messages: impl Stream<Item = Result<Bytes, Status>> + Send + 'static,
        call: &Call,
    ) -> Result<Bytes, Problem> {
        let whole = async {
            let mut grpc = self.ready().await?;
            grpc.client_streaming(call.request(messages), path.clone(), RawCodec)
                .await
        };
        Ok(until(call.deadline, whole).await?.into_inner())
    }

    async fn ready(&self) -> Result<Grpc<Channel>, Status> {
        let mut grpc = Grpc::new(self.channel.clone());
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::from_error(Box::new(error)))?;
        Ok(grpc)
    }
}

async fn until<T>(deadline: Option<Instant>, call: impl Future<Output = Result<T, Status>>) -> Result<T, Problem> {
    let Some(deadline) = deadline else {
        return Ok(call.await?);
    };
    match timeout_at(deadline, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(status)) if Instant::now() < deadline => Err(status.into()),
        // The transport cuts a call at its deadline too, and calls that a cancellation.
        Ok(Err(_)) | Err(_) => Err(Problem::deadline_exceeded()),
    }
}
