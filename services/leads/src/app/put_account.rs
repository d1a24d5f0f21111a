//! Creating and changing accounts.

use std::sync::Arc;

use reflex_pg::once::{self, Once};
use reflex_proto::leads::v1::{PutAccountRequest, PutAccountResponse};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;

use super::App;
use crate::{
    convert,
    domain::{
        account::{Account, MAX_ATTRIBUTE_NAMES},
        calculated::Entity,
        routing::{Conditions, Policy},
    },
    error::Error,
    setup::Setup,
    store::{
        accounts::{self, AccountRow},
        calculated_values::{self, RecordValues},
        field_recomputes::{self, Target},
        setup_versions,
    },
};

impl App {
    /// Creates or changes an account with its calculated values; those of its leads follow.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::WrongState`] for too many names of attributes, [`Error::RequestIdReused`].
    pub(crate) async fn put_account(
        &self,
        caller: &Caller,
        request: &PutAccountRequest,
    ) -> Result<PutAccountResponse, Error> {
        let account = request
            .account
            .as_ref()
            .ok_or_else(|| Error::invalid("account", "must be given"))?;
        let account = Account::parse(&convert::account::raw_account(account))?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("put_account", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "put_account", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let row = self.write_account(&mut tx, tenant, &account).await?;
        let response = PutAccountResponse {
            account: Some(convert::account::account(&row)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.recomputes.wake(tenant);
        Ok(response)
    }

    /// Writes an account with its calculated values, and has those of its leads calculated anew.
    pub(super) async fn write_account(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        account: &Account,
    ) -> Result<AccountRow, Error> {
        let setup = self.setup_with_attributes(tx, tenant, account).await?;
        let now = self.clock.now();
        let definitions = setup.fields.definitions(Entity::Account);
        let outcomes = setup.fields.of_account(account, &setup.context(now));
        let key = account.id.key();
        let values = (!definitions.is_empty()).then(|| RecordValues::new(key.to_owned(), definitions, &outcomes));
        let json = values.as_ref().map(|values| &values.json);
        let row = accounts::put(tx, tenant, account, json, now).await?;
        calculated_values::save_keys(tx, tenant, &values).await?;
        if leads_follow(&setup) {
            field_recomputes::request(tx, tenant, &Target::AccountLeads(key.to_owned())).await?;
        }
        Ok(row)
    }

    /// Returns the setup, kept from changing, with the names of the account's attributes among those that formulas may read.
    async fn setup_with_attributes(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        account: &Account,
    ) -> Result<Arc<Setup>, Error> {
        let unknown = |setup: &Setup| -> Vec<&str> {
            let names = account.attributes.keys().map(String::as_str);
            names.filter(|name| !setup.fields.names().has_attribute(name)).collect()
        };
        // Looked at before anything is locked: two who both share the setup could not both change it.
        let setup = self.setups.get(tx, tenant).await?;
        if unknown(&setup).is_empty()
            && let Some(version) = setup_versions::share(tx, tenant).await?
        {
            return Ok(self.setups.at(tx, tenant, version).await?);
        }
        let setup = self.setups.lock(tx, tenant).await?;
        let new = unknown(&setup);
        if new.is_empty() {
            return Ok(setup);
        }
        let known = setup.fields.names().attribute_count();
        if known + new.len() > MAX_ATTRIBUTE_NAMES {
            return Err(Error::WrongState(format!(
                "客户属性名合计最多 {MAX_ATTRIBUTE_NAMES} 个，已有 {known} 个，不能再增加：{names} / accounts have {known} names of \
                 attributes, at most {MAX_ATTRIBUTE_NAMES}; these are new: {names}",
                names = new.join(", ")
            )));
        }
        accounts::add_attributes(tx, tenant, &new).await?;
        setup_versions::change(tx, tenant).await?;
        Ok(setup)
    }
}

/// Tells whether a change of an account changes what its leads are worth, or where those that wait go.
fn leads_follow(setup: &Setup) -> bool {
    let conditions = setup.policy.as_deref().and_then(Policy::conditions);
    setup.fields.leads_read_accounts() || conditions.is_some_and(Conditions::read_accounts)
}
