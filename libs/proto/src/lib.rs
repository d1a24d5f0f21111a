//! Messages and services of every Reflex API, generated from `proto/`, and what can be known about them.
//!
//! Belongs here: generated code, the descriptor set, the permission each method declares. Does not: any behaviour.

/// What all services share.
pub mod platform {
    /// Version 1.
    pub mod v1 {
        #![expect(clippy::allow_attributes, clippy::all, clippy::pedantic, reason = "generated")]
        tonic::include_proto!("reflex.platform.v1");
    }
}

/// Leads and routing.
pub mod leads {
    /// Version 1.
    pub mod v1 {
        #![expect(clippy::allow_attributes, clippy::all, clippy::pedantic, reason = "generated")]
        tonic::include_proto!("reflex.leads.v1");
    }
}

/// Notifications.
pub mod notifications {
    /// Version 1.
    pub mod v1 {
        #![expect(clippy::allow_attributes, clippy::all, clippy::pedantic, reason = "generated")]
        tonic::include_proto!("reflex.notifications.v1");
    }
}

/// The encoded `FileDescriptorSet` of all protos with their imports and options.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor_set.bin"));

/// Every method path (`/package.Service/Method`) with the permission it declares, `None` where it declares none.
pub const PERMISSIONS: &[(&str, Option<&str>)] = include!(concat!(env!("OUT_DIR"), "/permissions.rs"));

/// Returns the descriptor pool of all protos, decoded once.
///
/// # Panics
/// Never: the build script wrote a valid set.
#[must_use]
pub fn descriptor_pool() -> &'static prost_reflect::DescriptorPool {
    static POOL: std::sync::LazyLock<prost_reflect::DescriptorPool> = std::sync::LazyLock::new(|| {
        prost_reflect::DescriptorPool::decode(DESCRIPTOR_SET).expect("the build script wrote a valid descriptor set")
    });
    &POOL
}

/// Returns the descriptor set of one package with its imports, for reflection: a service shows its own API only.
#[must_use]
pub fn descriptor_set_of(packages: &[&str]) -> Vec<u8> {
    use prost_reflect::prost::Message as _;

    let pool = descriptor_pool();
    let mut wanted: Vec<_> = pool
        .files()
        .filter(|file| packages.contains(&file.package_name()))
        .collect();
    let mut at = 0;
    while at < wanted.len() {
        for dependency in wanted[at].clone().dependencies() {
            if !wanted.contains(&dependency) {
                wanted.push(dependency);
            }
        }
        at += 1;
    }
    let file = wanted.iter().map(|file| file.file_descriptor_proto().clone()).collect();
    prost_types::FileDescriptorSet { file }.encode_to_vec()
}
