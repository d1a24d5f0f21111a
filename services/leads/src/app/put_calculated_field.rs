//! Defining, replacing and deleting calculated fields.

use reflex_proto::leads::v1::{
    DeleteCalculatedFieldRequest, DeleteCalculatedFieldResponse, PutCalculatedFieldRequest, PutCalculatedFieldResponse,
};
use reflex_rpc::identity::Caller;

use super::{
    App,
    change_setup::{Begun, Change},
    list_directory::resource,
};
use crate::{
    convert,
    domain::{
        calculated::{
            Definition, Entity, Names,
            check::{Draft, Purpose, Readers, left_behind},
        },
        decision::Trigger,
        ids::CalculatedFieldId,
        pool::Pool,
        routing::{Conditions, Policy},
    },
    error::Error,
    store::{
        calculated_fields,
        field_recomputes::{self, Target},
        reroute,
    },
};

impl App {
    /// Defines a field, or replaces its definition; the values follow in the background.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::WrongState`] when others use a name that the field gives up.
    pub(crate) async fn put_calculated_field(
        &self,
        caller: &Caller,
        request: &PutCalculatedFieldRequest,
    ) -> Result<PutCalculatedFieldResponse, Error> {
        let field = request
            .field
            .as_ref()
            .ok_or_else(|| Error::invalid("field", "must be given"))?;
        let raw = convert::fields::raw_definition(field).map_err(|violation| vec![violation])?;
        let draft = Draft::parse(&raw, Purpose::Store)?;
        let mut change = match self
            .begin_change("put_calculated_field", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let id: CalculatedFieldId = resource("field.name", &field.name)?;
        let before = change.before.clone();
        let existing = before.fields.find(&id);
        let row = match existing {
            Some(existing) if existing.entity == draft.entity && draft.says(existing) => {
                let found = calculated_fields::find(&mut change.tx, &change.tenant, &id).await?;
                found.ok_or_else(|| Error::NotFound(id.to_string()))?
            }
            _ => {
                let checked = before.fields.check(&draft)?;
                refuse_left_behind(&change, &checked.names)?;
                let definition = Definition {
                    key: existing.map_or(0, |existing| existing.key),
                    version: 0,
                    id,
                    entity: draft.entity,
                    field_name: draft.field_name,
                    alias: draft.alias,
                    formula: draft.formula,
                    kind: checked.kind,
                };
                let row = calculated_fields::put(&mut change.tx, &change.tenant, &definition, self.clock.now()).await?;
                recompute_after(&mut change, definition.entity).await?;
                change.publish().await?;
                row
            }
        };
        let recomputing = field_recomputes::list_entities(&mut change.tx, &change.tenant).await?;
        let response = PutCalculatedFieldResponse {
            field: Some(convert::fields::field(&row, &recomputing)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Deletes a field that nobody uses.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::WrongState`] with who uses it.
    pub(crate) async fn delete_calculated_field(
        &self,
        caller: &Caller,
        request: &DeleteCalculatedFieldRequest,
    ) -> Result<DeleteCalculatedFieldResponse, Error> {
        let id: CalculatedFieldId = resource("name", &request.name)?;
        let mut change = match self
            .begin_change("delete_calculated_field", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let before = change.before.clone();
        let field = before.fields.find(&id).ok_or_else(|| Error::NotFound(id.to_string()))?;
        refuse_left_behind(&change, &before.fields.names().without(field.key))?;
        calculated_fields::delete(&mut change.tx, &change.tenant, field.key).await?;
        field_recomputes::request(&mut change.tx, &change.tenant, &Target::Keys(field.key)).await?;
        field_recomputes::request(&mut change.tx, &change.tenant, &Target::all(field.entity)).await?;
        change.publish().await?;
        let response = DeleteCalculatedFieldResponse {};
        self.commit_change(change, &response).await?;
        Ok(response)
    }
}

/// Refuses a change after which somebody reads a field that is no more.
fn refuse_left_behind(change: &Change, after: &Names) -> Result<(), Error> {
    let policy = change.before.policy.as_deref().map(Policy::spec);
    let pool = change.before.pool.as_deref().map(Pool::spec);
    let readers = Readers {
        policy,
        pool,
        tags: &change.before.tags,
    };
    let users = left_behind(change.before.fields.names(), after, &readers);
    if users.is_empty() {
        return Ok(());
    }
    let users = users.join("; ");
    Err(Error::WrongState(format!(
        "该名称仍被使用，请先修改：{users} / the field is still used under this name; change these first: {users}"
    )))
}

/// Asks for the values that a definition changes, and for another look at the leads whose way they may change.
async fn recompute_after(change: &mut Change, entity: Entity) -> Result<(), Error> {
    let (tx, tenant) = (&mut change.tx, &change.tenant);
    field_recomputes::request(tx, tenant, &Target::all(entity)).await?;
    if entity == Entity::Account && !change.before.fields.definitions(Entity::Lead).is_empty() {
        field_recomputes::request(tx, tenant, &Target::Leads).await?;
    }
    let conditions = change.before.policy.as_deref().and_then(Policy::conditions);
    if conditions.is_some_and(Conditions::read_calculated) {
        reroute::request(tx, tenant, Trigger::PolicyChanged, None).await?;
    }
    Ok(())
}
