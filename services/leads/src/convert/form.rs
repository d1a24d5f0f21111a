//! Forms.

use reflex_proto::leads::v1 as pb;

use crate::domain::form::{Form, RawForm};

/// Converts a sent form to what the domain checks.
pub(crate) fn raw_form(message: &pb::Form) -> RawForm {
    RawForm {
        name: message.name.clone(),
        title: message.title.clone(),
        source: message.source.clone(),
        write_key: message.write_key.clone(),
        allowed_origins: message.allowed_origins.clone(),
        posts_per_minute: message.posts_per_minute,
        default_product: message.default_product.clone(),
        enabled: message.enabled,
    }
}

/// Converts a form to its message.
pub(crate) fn form(form: &Form) -> pb::Form {
    pb::Form {
        name: form.id.to_string(),
        title: form.title.clone(),
        source: form.source.clone(),
        write_key: form.write_key.clone().unwrap_or_default(),
        allowed_origins: form.allowed_origins.clone(),
        posts_per_minute: form.posts_per_minute,
        default_product: form.default_product.clone(),
        enabled: form.enabled,
    }
}
