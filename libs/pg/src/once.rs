//! Does a write once per `request_id`: claims the id before the work, stores the encoded response after it.

use prost::Message;
use reflex_tenancy::TenantId;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    DbError,
    requests::{self, ClaimError, Claimed, RequestKey},
};

/// Whether the work is still to be done.
#[derive(Debug)]
pub enum Once<R> {
    /// Do the work, then hand its response to [`Claim::answer`] before the commit.
    New(Claim),
    /// It was done before, with this response: roll back and return it.
    Answered(R),
}

/// The right to do the work of a request.
#[derive(Debug)]
#[must_use = "a claim without an answer makes a retry answer with an empty response"]
pub struct Claim(Option<(TenantId, RequestKey)>);

/// Claims `request_id` for `request` in this transaction. Without an id every call is new.
///
/// The messages of such requests have no map fields, so equal requests have equal bytes.
///
/// # Errors
/// [`ClaimError::Reused`] when the id was used with another request.
pub async fn claim<R: Message + Default>(
    tx: &mut PgConnection,
    tenant: &TenantId,
    method: &'static str,
    request_id: Option<Uuid>,
    request: &impl Message,
) -> Result<Once<R>, ClaimError> {
    let Some(request_id) = request_id else {
        return Ok(Once::New(Claim(None)));
    };
    let payload_hash = Sha256::digest(request.encode_to_vec()).into();
    let key = RequestKey {
        method,
        request_id,
        payload_hash,
    };
    match requests::claim(tx, tenant, &key).await? {
        Claimed::New => Ok(Once::New(Claim(Some((tenant.clone(), key))))),
        Claimed::Answered(bytes) => {
            // Written by us from a response of this very type.
            Ok(Once::Answered(R::decode(bytes.as_slice()).unwrap_or_default()))
        }
    }
}

impl Claim {
    /// Stores the response with the work.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn answer(self, tx: &mut PgConnection, response: &impl Message) -> Result<(), DbError> {
        match self.0 {
            Some((tenant, key)) => requests::answer(tx, &tenant, &key, &response.encode_to_vec()).await,
            None => Ok(()),
        }
    }
}
