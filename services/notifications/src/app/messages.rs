//! Reads the ledger.

use reflex_tenancy::{TenantId, TenantSet};
use uuid::Uuid;

use super::App;
use crate::{
    error::Error,
    store::{
        answers::{self, Answer},
        attempts::{self, Attempt},
        messages::{self, Filter, Message},
    },
};

impl App {
    /// Lists messages, newest first, those before `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_messages(
        &self,
        tenant: &TenantId,
        filter: &Filter<'_>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Message>, Error> {
        let mut tx = self.database.begin("list_messages", &TenantSet::one(tenant)).await?;
        Ok(messages::list(&mut tx, tenant, filter, before, limit).await?)
    }

    /// Lists what was done by the links of a message.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_answers(&self, tenant: &TenantId, message: Uuid) -> Result<Vec<Answer>, Error> {
        let mut tx = self.database.begin("list_answers", &TenantSet::one(tenant)).await?;
        Ok(answers::list(&mut tx, tenant, message).await?)
    }

    /// Returns a message with every attempt to deliver it.
    ///
    /// # Errors
    /// When there is no such message.
    pub async fn get_message(&self, tenant: &TenantId, id: Uuid) -> Result<(Message, Vec<Attempt>), Error> {
        let mut tx = self.database.begin("get_message", &TenantSet::one(tenant)).await?;
        let message = messages::find(&mut tx, tenant, id).await?;
        let message = message.ok_or_else(|| Error::NotFound(format!("messages/{id}")))?;
        Ok((message, attempts::list(&mut tx, tenant, id).await?))
    }
}
