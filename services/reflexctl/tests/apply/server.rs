//! A server of every Put, List and Get of the API, written once: it keeps resources by name, as the protos describe them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use parking_lot::Mutex;
use prost_reflect::prost::Message as _;
use prost_reflect::prost::bytes::{Buf as _, BufMut as _};
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, ReflectMessage as _, Value};
use reflexctl::connection::{Address, Connection};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// A running server; it ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) url: String,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Resources by message and name.
    resources: Mutex<BTreeMap<(String, String), DynamicMessage>>,
    /// Method, name and request id of each write.
    writes: Mutex<Vec<(String, String, String)>>,
    loses_answer: Mutex<bool>,
    refused: Mutex<Option<String>>,
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

    pub(crate) fn connection(&self) -> Connection {
        let address = Address {
            server: Some(self.url.clone()),
            notifications: Some(self.url.clone()),
            token: Some("token".to_owned()),
            tenant: None,
        };
        Connection::new(&address).unwrap()
    }

    /// Every write so far, as method and name.
    pub(crate) fn writes(&self) -> Vec<String> {
        let writes = self.kept.writes.lock();
        writes
            .iter()
            .map(|(method, name, _)| format!("{method} {name}"))
            .collect()
    }

    pub(crate) fn request_ids(&self) -> Vec<String> {
        self.kept.writes.lock().iter().map(|(_, _, id)| id.clone()).collect()
    }

    pub(crate) fn stored(&self, name: &str, field: &str) -> Value {
        let resources = self.kept.resources.lock();
        let (_, resource) = resources.iter().find(|((_, stored), _)| stored == name).unwrap();
        resource.get_field_by_name(field).unwrap().into_owned()
    }

    /// Applies the next write and then says that it was unavailable.
    pub(crate) fn lose_next_answer(&self) {
        *self.kept.loses_answer.lock() = true;
    }

    /// Refuses every write of this resource.
    pub(crate) fn refuse(&self, name: &str) {
        *self.kept.refused.lock() = Some(name.to_owned());
    }
}

async fn answer(State(kept): State<Arc<Kept>>, request: Request) -> Response {
    let (_, path) = request.uri().path().split_at(1);
    let (service, method) = path.split_once('/').unwrap();
    let service = reflex_proto::descriptor_pool().get_service_by_name(service).unwrap();
    let method = service.methods().find(|known| known.name() == method).unwrap();
    let tenant = request.headers()["x-reflex-tenant"].to_str().unwrap();
    assert_eq!(
        (tenant, &request.headers()["authorization"]),
        ("huadong", &"Bearer token".parse().unwrap())
    );
    let mut grpc = tonic::server::Grpc::new(Dynamic(method.input()));
    let service = tower::service_fn(move |request: tonic::Request<DynamicMessage>| {
        let answer = kept.answer(&method, &request.into_inner()).map(tonic::Response::new);
        std::future::ready(answer)
    });
    grpc.unary(service, request).await.map(Body::new)
}

impl Kept {
    fn answer(&self, method: &MethodDescriptor, request: &DynamicMessage) -> Result<DynamicMessage, Status> {
        let mut response = DynamicMessage::new(method.output());
        let (message, field) = resource(&method.output());
        if !method.name().starts_with("Put") {
            let resources = self.resources.lock();
            let found = resources.iter().filter(|((kind, _), _)| kind == message.full_name());
            let found: Vec<Value> = found.map(|(_, resource)| Value::Message(shown(resource))).collect();
            if field.is_list() {
                response.set_field(&field, Value::List(found));
            } else if let Some(only) = found.into_iter().next() {
                response.set_field(&field, only);
            } else {
                return Err(Status::not_found("there is none"));
            }
            return Ok(response);
        }
        let mut put = request
            .get_field(&resource(&method.input()).1)
            .as_message()
            .unwrap()
            .clone();
        let text = |message: &DynamicMessage, field: &str| {
            let value = message.get_field_by_name(field);
            value
                .and_then(|value| value.as_str().map(str::to_owned))
                .unwrap_or_default()
        };
        if put.descriptor().name() == "Leave" && text(&put, "name").is_empty() {
            let count = self
                .resources
                .lock()
                .keys()
                .filter(|(_, name)| name.starts_with("leaves/"))
                .count();
            put.set_field_by_name("name", Value::String(format!("leaves/{}", count + 1)));
        }
        let name = text(&put, "name");
        if self.refused.lock().as_ref() == Some(&name) {
            let mut details = ErrorDetails::with_bad_request_violation("member.capacity", "at most 100000");
            details.set_error_info("REASON_INVALID_FIELD", "reflex", std::collections::HashMap::new());
            return Err(Status::with_error_details(
                Code::InvalidArgument,
                "the request is malformed",
                details,
            ));
        }
        let id = text(request, "request_id");
        self.writes.lock().push((method.name().to_owned(), name.clone(), id));
        let key = (message.full_name().to_owned(), name);
        self.resources.lock().insert(key, put.clone());
        if std::mem::take(&mut *self.loses_answer.lock()) {
            return Err(Status::unavailable("gone"));
        }
        response.set_field(&field, Value::Message(shown(&put)));
        Ok(response)
    }
}

/// Returns a resource as the services show it: defaults filled in, the secret left out, the token masked.
fn shown(resource: &DynamicMessage) -> DynamicMessage {
    let mut shown = resource.clone();
    match shown.descriptor().name() {
        "Member" => {
            shown.set_field_by_name("weight", Value::I32(100));
            shown.set_field_by_name("locale", Value::String("zh-CN".to_owned()));
            shown.set_field_by_name("open_leads", Value::I32(3));
        }
        "RoutingPolicy" => shown.set_field_by_name("version", Value::I32(7)),
        "Channel" => {
            shown.clear_field_by_name("secret");
            let endpoint = "http://127.0.0.1:18080/robot/send?access_token=ab****gh";
            shown.set_field_by_name("endpoint", Value::String(endpoint.to_owned()));
            shown.set_field_by_name("messages_per_minute", Value::I32(18));
        }
        _ => {}
    }
    shown
}

fn resource(message: &MessageDescriptor) -> (MessageDescriptor, prost_reflect::FieldDescriptor) {
    let found = message.fields().find_map(|field| match field.kind() {
        Kind::Message(kind) => Some((kind, field)),
        _ => None,
    });
    found.unwrap()
}

struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(self.0.clone())
    }

    fn decoder(&mut self) -> Self {
        Self(self.0.clone())
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&message.encode_to_vec());
        Ok(())
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        Ok(Some(DynamicMessage::decode(self.0.clone(), bytes).unwrap()))
    }
}
