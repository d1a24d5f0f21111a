//! A gRPC server whose methods a test writes down.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::Router;
use futures_util::{Stream, future::BoxFuture, stream};
use parking_lot::RwLock;
use prost::{
    Message,
    bytes::{Buf as _, BufMut as _, Bytes},
};
use reflex_runtime::tasks::Tasks;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
    server::{Grpc, StreamingService},
    service::Routes,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_health::server::HealthReporter;

/// Answers of a method on their way.
type Answers = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
type Method = Arc<dyn Fn(MetadataMap, Streaming<Bytes>) -> BoxFuture<'static, Result<Answers, Status>> + Send + Sync>;

/// A server without methods, until a test adds some.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) channel: Channel,
    pub(crate) health: HealthReporter,
    methods: Arc<RwLock<HashMap<&'static str, Method>>>,
}

/// Counts the calls of a method, or the messages of its streams.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<watch::Sender<usize>>);

impl Calls {
    pub(crate) fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until there were so many.
    pub(crate) async fn reach(&self, count: usize) {
        let mut counted = self.0.subscribe();
        counted
            .wait_for(|&counted| counted >= count)
            .await
            .expect("we hold the sender");
    }

    /// Returns how many there were before.
    fn add(&self) -> usize {
        let mut before = 0;
        self.0.send_modify(|count| {
            before = *count;
            *count += 1;
        });
        before
    }
}

impl Backend {
    pub(crate) async fn start(tasks: &Tasks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (health, health_server) = tonic_health::server::health_reporter();
        let methods = Arc::default();
        let service = Service {
            methods: Arc::clone(&methods),
        };
        let routes = Routes::from(Router::new().fallback_service(service)).add_service(health_server);
        let stop = tasks.stop();
        tasks.spawn("backend", async move {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let stopped = stop.cancelled_owned();
            Server::builder()
                .add_routes(routes)
                .serve_with_incoming_shutdown(incoming, stopped)
                .await
        });
        let channel = Endpoint::try_from(format!("http://{address}")).unwrap().connect_lazy();
        Self {
            channel,
            health,
            methods,
        }
    }

    /// Adds a unary method; it is told how many calls came before.
    pub(crate) fn on<A, B>(
        &self,
        path: &'static str,
        method: impl Fn(usize, MetadataMap, A) -> Result<B, Status> + Send + Sync + 'static,
    ) -> Calls
    where
        A: Message + Default + 'static,
        B: Message + 'static,
    {
        let calls = Calls::default();
        let counted = calls.clone();
        let method = Arc::new(method);
        self.add(path, move |metadata, mut requests| {
            let (method, before) = (Arc::clone(&method), counted.add());
            Box::pin(async move {
                let request = requests.message().await?.expect("a request");
                let answer = method(before, metadata, A::decode(request).expect("encoded as it should be"))?;
                Ok(Box::pin(stream::iter([Ok(answer.encode_to_vec().into())])) as Answers)
            })
        });
        calls
    }

    /// Adds a method that never answers.
    pub(crate) fn on_never(&self, path: &'static str) -> Calls {
        let calls = Calls::default();
        let counted = calls.clone();
        self.add(path, move |_, _| {
            counted.add();
            Box::pin(std::future::pending())
        });
        calls
    }

    /// Adds a method that answers with what is sent through the returned sender; it is closed when nobody listens.
    pub(crate) fn on_watch(&self, path: &'static str) -> mpsc::Sender<Result<Bytes, Status>> {
        let (sender, receiver) = mpsc::channel(16);
        let receiver = Arc::new(parking_lot::Mutex::new(Some(receiver)));
        self.add(path, move |_, _| {
            let mut receiver = receiver.lock().take().expect("one watcher");
            Box::pin(
                async move { Ok(Box::pin(stream::poll_fn(move |context| receiver.poll_recv(context))) as Answers) },
            )
        });
        sender
    }

    /// Adds a method that takes a stream and answers with what `end` makes of it: the messages and whether the stream
    /// ended as it should. Counts the messages.
    pub(crate) fn on_stream<A, B>(
        &self,
        path: &'static str,
        end: impl Fn(Vec<A>, Result<(), Status>) -> B + Send + Sync + 'static,
    ) -> Calls
    where
        A: Message + Default + 'static,
        B: Message + 'static,
    {
        let (end, counted) = (Arc::new(end), Calls::default());
        let messages = counted.clone();
        self.add(path, move |_, mut requests| {
            let (end, counted) = (Arc::clone(&end), counted.clone());
            Box::pin(async move {
                let mut received = Vec::new();
                let ended = loop {
                    match requests.message().await {
                        Ok(Some(message)) => received.push(A::decode(message).expect("encoded as it should be")),
                        Ok(None) => break Ok(()),
                        Err(status) => break Err(status),
                    }
                    counted.add();
                };
                let answer = end(received, ended);
                Ok(Box::pin(stream::iter([Ok(answer.encode_to_vec().into())])) as Answers)
            })
        });
        messages
    }

    fn add(
        &self,
        path: &'static str,
        method: impl Fn(MetadataMap, Streaming<Bytes>) -> BoxFuture<'static, Result<Answers, Status>>
        + Send
        + Sync
        + 'static,
    ) {
        self.methods.write().insert(path, Arc::new(method));
    }
}

#[derive(Clone)]
struct Service {
    methods: Arc<RwLock<HashMap<&'static str, Method>>>,
}

impl tower::Service<http::Request<axum::body::Body>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<axum::body::Body>) -> Self::Future {
        let method = self.methods.read().get(request.uri().path()).cloned();
        Box::pin(async move {
            let Some(method) = method else {
                return Ok(Status::unimplemented("the test wrote no such method").into_http());
            };
            Ok(Grpc::new(Raw).streaming(Handler(method), request).await)
        })
    }
}

struct Handler(Method);

impl StreamingService<Bytes> for Handler {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = BoxFuture<'static, Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (metadata, _, requests) = request.into_parts();
        let answers = (self.0)(metadata, requests);
        Box::pin(async move { Ok(Response::new(answers.await?)) })
    }
}

struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
