//! Calls any RPC, found in the descriptors, with JSON or with bytes as they come.

use prost::{
    Message as _,
    bytes::{Buf as _, BufMut as _, Bytes},
};
use prost_reflect::{DynamicMessage, MethodDescriptor};
use reflex_rpc::{client, identity::Role};
use reflex_tenancy::TenantId;
use reflex_tests::suite::Suite;
use serde_json::Value;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

/// Returns every RPC of every service of ours.
pub(crate) fn all() -> Vec<MethodDescriptor> {
    let services = reflex_proto::descriptor_pool().services();
    let ours = services.filter(|service| service.package_name().starts_with("reflex."));
    ours.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// Returns the RPC of a path such as `reflex.leads.v1.LeadService/GetLead`.
pub(crate) fn named(path: &str) -> MethodDescriptor {
    let found = all().into_iter().find(|method| path_of(method) == path);
    found.unwrap_or_else(|| panic!("there is no RPC {path}"))
}

/// Returns `package.Service/Method`.
pub(crate) fn path_of(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

/// Encodes a request of an RPC.
pub(crate) fn encode(method: &MethodDescriptor, json: &Value) -> Bytes {
    let message = DynamicMessage::deserialize(method.input(), json)
        .unwrap_or_else(|error| panic!("{} {json}: {error}", path_of(method)));
    message.encode_to_vec().into()
}

/// Decodes an answer of an RPC.
pub(crate) fn decode(method: &MethodDescriptor, answer: Bytes) -> Value {
    serde_json::to_value(DynamicMessage::decode(method.output(), answer).unwrap()).unwrap()
}

/// Connections to all services.
#[derive(Clone)]
pub(crate) struct Wires {
    leads: Channel,
    notifications: Channel,
}

impl Wires {
    pub(crate) fn to(suite: &Suite) -> Self {
        let connect = |url: String| client::connect(&url, &suite.environment.tasks).unwrap();
        Self {
            leads: connect(suite.leads_url()),
            notifications: connect(suite.notifications_url()),
        }
    }

    /// Calls an RPC with these headers and returns its first answer. A stream of answers that may last for ever gives
    /// an empty one once it is open.
    pub(crate) async fn call(
        &self,
        method: &MethodDescriptor,
        headers: &[(&'static str, String)],
        message: Bytes,
    ) -> Result<Bytes, Status> {
        let of_leads = method.parent_service().package_name() == "reflex.leads.v1";
        let channel = if of_leads { &self.leads } else { &self.notifications };
        let mut request = Request::new(tokio_stream::once(message));
        for (name, value) in headers {
            request.metadata_mut().insert(*name, value.parse().unwrap());
        }
        let mut client = Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let path = format!("/{}", path_of(method)).parse().unwrap();
        let mut answers = client.streaming(request, path, RawCodec).await?.into_inner();
        if method.is_server_streaming() {
            return Ok(Bytes::new());
        }
        Ok(answers.message().await?.expect("an answer"))
    }

    /// Calls an RPC of which one knows that it works, as an admin of the tenant.
    pub(crate) async fn ask(&self, suite: &Suite, tenant: &TenantId, path: &str, request: Value) -> Value {
        self.try_ask(suite, tenant, path, &request)
            .await
            .unwrap_or_else(|status| panic!("{path} {request}: {status:?}"))
    }

    /// Calls an RPC as an admin of the tenant.
    pub(crate) async fn try_ask(
        &self,
        suite: &Suite,
        tenant: &TenantId,
        path: &str,
        request: &Value,
    ) -> Result<Value, Status> {
        let method = named(path);
        let message = encode(&method, request);
        let answer = self.call(&method, &as_admin(suite, tenant), message).await?;
        Ok(decode(&method, answer))
    }
}

/// Returns the headers of a tenant's admin.
pub(crate) fn as_admin(suite: &Suite, tenant: &TenantId) -> [(&'static str, String); 2] {
    let token = suite.token(&[tenant], Role::Admin, None);
    [bearer(&token), ("x-reflex-tenant", tenant.to_string())]
}

/// Returns the header that carries a token.
pub(crate) fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

/// Leaves messages as they are.
#[derive(Debug, Clone, Copy, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
