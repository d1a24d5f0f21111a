//! Which RPC goes where: read from the descriptors, so that a new RPC needs no line here.

use std::{collections::HashMap, sync::Arc};

use http::uri::PathAndQuery;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use crate::backends::{Backend, Backends};

/// What every service serves for itself; the client says of which service.
pub(crate) const PLATFORM: &str = "reflex.platform.v1";

/// Every RPC that can be called, by the full name of its service and its own name.
pub(crate) struct Methods(HashMap<String, HashMap<String, Method>>);

/// One RPC.
pub(crate) struct Method {
    pub(crate) descriptor: MethodDescriptor,
    pub(crate) path: PathAndQuery,
    pub(crate) input: MessageDescriptor,
    pub(crate) output: MessageDescriptor,
    pub(crate) shape: Shape,
    pub(crate) target: Target,
    /// The field that makes a write repeatable; a method without it is a read.
    pub(crate) request_id: Option<FieldDescriptor>,
}

/// Which side of an RPC is a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Unary,
    ServerStreaming,
    ClientStreaming,
    BothStreaming,
}

/// Who serves an RPC.
pub(crate) enum Target {
    One(Arc<Backend>),
    /// Each service serves its own.
    Each,
}

impl Methods {
    /// Collects the RPCs of all packages that a backend serves.
    pub(crate) fn new(pool: &DescriptorPool, backends: &Backends) -> Self {
        let mut services = HashMap::new();
        for service in pool.services() {
            let package = service.package_name();
            let backend = backends.of_package(package);
            if backend.is_none() && package != PLATFORM {
                continue;
            }
            let methods = service.methods().map(|method| {
                let target = backend.map_or(Target::Each, |backend| Target::One(Arc::clone(backend)));
                (method.name().to_owned(), Method::new(method, target))
            });
            services.insert(service.full_name().to_owned(), methods.collect());
        }
        Self(services)
    }

    pub(crate) fn find(&self, service: &str, method: &str) -> Option<&Method> {
        self.0.get(service)?.get(method)
    }

    /// Returns all RPCs in the order of their paths.
    pub(crate) fn in_order(&self) -> Vec<&Method> {
        let mut methods: Vec<_> = self.0.values().flat_map(HashMap::values).collect();
        methods.sort_unstable_by(|left, right| left.path.as_str().cmp(right.path.as_str()));
        methods
    }
}

impl Method {
    fn new(descriptor: MethodDescriptor, target: Target) -> Self {
        let path = format!("/{}/{}", descriptor.parent_service().full_name(), descriptor.name());
        let input = descriptor.input();
        let is_text = |field: &FieldDescriptor| matches!(field.kind(), Kind::String);
        Self {
            path: path
                .try_into()
                .expect("names of services and methods are path segments"),
            request_id: input.get_field_by_name("request_id").filter(is_text),
            output: descriptor.output(),
            shape: match (descriptor.is_client_streaming(), descriptor.is_server_streaming()) {
                (false, false) => Shape::Unary,
                (false, true) => Shape::ServerStreaming,
                (true, false) => Shape::ClientStreaming,
                (true, true) => Shape::BothStreaming,
            },
            input,
            descriptor,
            target,
        }
    }
}
