//! How every write of a tenant's setup begins and ends.

use std::sync::Arc;

use prost::Message;
use reflex_pg::{
    Transaction,
    once::{self, Claim, Once},
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::{TenantId, TenantSet};

use super::App;
use crate::{domain::ids::CalendarId, error::Error, setup::Setup, store::setup_versions};

/// Whether a write is still to be done.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made")]
pub(crate) enum Begun<R> {
    /// An earlier call with this request id did it.
    Answered(R),
    /// To be done in this transaction.
    New(Change),
}

/// A transaction that changes the setup of one tenant, alone among all that do.
pub(crate) struct Change {
    pub(crate) tx: Transaction,
    pub(crate) tenant: TenantId,
    /// The setup as it was when the transaction began.
    pub(crate) before: Arc<Setup>,
    claim: Claim,
}

impl App {
    /// Begins a write; `name` is the RPC's, of the transaction and of what the request id is unique in.
    pub(crate) async fn begin_change<R: Message + Default>(
        &self,
        name: &'static str,
        caller: &Caller,
        request_id: &str,
        request: &impl Message,
    ) -> Result<Begun<R>, Error> {
        let request_id = RequestId::parse(request_id)?;
        let tenant = caller.tenant.clone();
        let mut tx = self.db.begin(name, &TenantSet::one(&tenant)).await?;
        match once::claim(&mut tx, &tenant, name, request_id, request).await? {
            Once::Answered(response) => Ok(Begun::Answered(response)),
            Once::New(claim) => {
                let before = self.setups.lock(&mut tx, &tenant).await?;
                Ok(Begun::New(Change {
                    tx,
                    tenant,
                    before,
                    claim,
                }))
            }
        }
    }

    /// Stores the response, commits, and wakes whoever has work now.
    pub(crate) async fn commit_change(&self, mut change: Change, response: &impl Message) -> Result<(), Error> {
        change.claim.answer(&mut change.tx, response).await?;
        change.tx.commit().await?;
        self.relay.wake();
        self.intake.wake(&change.tenant);
        self.recomputes.wake(&change.tenant);
        self.timers.wake();
        Ok(())
    }
}

impl Change {
    /// Gives the setup its new version; after the last write to it.
    pub(crate) async fn publish(&mut self) -> Result<(), Error> {
        Ok(setup_versions::change(&mut self.tx, &self.tenant).await?)
    }

    /// Checks that a calendar somebody shall work by exists.
    ///
    /// # Errors
    /// [`Error::WrongState`] naming it.
    pub(crate) fn check_calendar(&self, calendar: Option<&CalendarId>) -> Result<(), Error> {
        match calendar.filter(|id| !self.before.calendars.contains_key(*id)) {
            Some(unknown) => Err(Error::WrongState(format!("{unknown} does not exist"))),
            None => Ok(()),
        }
    }
}
