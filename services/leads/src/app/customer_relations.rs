//! What holds between customers and contacts, devices and products, and these themselves.

use reflex_pg::{
    DbError,
    once::{self, Once},
};
use reflex_proto::leads::v1::{
    EndRelationRequest, EndRelationResponse, ListRelationsRequest, ListRelationsResponse, PutContactRequest,
    PutContactResponse, PutDeviceRequest, PutDeviceResponse, PutRelationRequest, PutRelationResponse,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{App, customers::taken, list_directory::resource, paging::Page};
use crate::{
    convert::{self, customer::Judged},
    domain::{
        contact::Contact,
        customer::CustomerPolicy,
        device::Device,
        ids::{AccountId, CalendarId, RelationId},
        relation::{MAX_RELATIONS, Object, Relation, check_end},
        violation::Violations,
    },
    error::Error,
    store::{customers, relations},
};

impl App {
    /// Keeps a relation.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::WrongState`] for what does not exist, for one that another excludes, and for too many.
    pub(crate) async fn put_relation(
        &self,
        caller: &Caller,
        request: &PutRelationRequest,
    ) -> Result<PutRelationResponse, Error> {
        let now = self.clock.now();
        let sent = request.relation.as_ref();
        let sent = sent.ok_or_else(|| Error::invalid("relation", "must be given"))?;
        let raw = convert::customer::raw_relation(sent).map_err(|violation| vec![violation])?;
        let relation = Relation::parse(&raw, now)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("put_relation", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "put_relation", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        check_exists(&mut tx, tenant, &relation).await?;
        let id = RelationId(self.ids.next());
        let row = relations::insert(&mut tx, tenant, id, &relation, now).await;
        let row = row.map_err(|error| excluded(error, &relation))?.ok_or_else(|| {
            Error::WrongState(format!(
                "{customer} 已有 {MAX_RELATIONS} 条关系 / {customer} has {MAX_RELATIONS} relations, the limit",
                customer = relation.customer
            ))
        })?;
        self.tell_customers(&mut tx, tenant, std::slice::from_ref(&row.account), &id)
            .await?;
        let response = PutRelationResponse {
            relation: Some(convert::customer::relation(&row)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        Ok(response)
    }

    /// Ends a relation.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::WrongState`] for one that has ended otherwise.
    pub(crate) async fn end_relation(
        &self,
        caller: &Caller,
        request: &EndRelationRequest,
    ) -> Result<EndRelationResponse, Error> {
        let id: RelationId = resource("name", &request.name)?;
        let end = request.end_time.as_ref();
        let end = end.map(|at| convert::instant("end_time", at)).transpose();
        let end = end.map_err(|violation| vec![violation])?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("end_relation", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "end_relation", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let row = relations::find_for_update(&mut tx, tenant, id).await?;
        let mut row = row.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let end = end.unwrap_or_else(|| self.clock.now());
        let mut violations = Violations::default();
        check_end(&mut violations, "end_time", row.valid_from.to_jiff(), Some(end));
        if !violations.is_empty() {
            return Err(violations.into_vec().into());
        }
        match row.relation().valid_to {
            Some(ended) if ended == end => {}
            Some(ended) => {
                return Err(Error::WrongState(format!(
                    "关系已于 {ended} 结束 / the relation ended at {ended}"
                )));
            }
            None => {
                relations::end(&mut tx, tenant, id, end).await?;
                row.valid_to = Some(jiff_sqlx::ToSqlx::to_sqlx(end));
                self.tell_customers(&mut tx, tenant, &[row.account.clone()], &id)
                    .await?;
            }
        }
        let response = EndRelationResponse {
            relation: Some(convert::customer::relation(&row)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        Ok(response)
    }

    /// Lists the relations of a customer.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_relations(
        &self,
        caller: &Caller,
        request: &ListRelationsRequest,
    ) -> Result<ListRelationsResponse, Error> {
        let customer: AccountId = resource("customer", &request.customer)?;
        let as_of = request
            .as_of
            .as_ref()
            .map(|at| convert::instant("as_of", at))
            .transpose();
        let as_of = as_of.map_err(|violation| vec![violation])?;
        let tenant = &caller.tenant;
        let query = ("relations", tenant.as_str(), &request.customer, as_of);
        let page: Page<_, Uuid> = Page::parse(&self.pages, query, request.page_size, &request.page_token, 500)?;
        let mut tx = self.db.begin("list_relations", &TenantSet::one(tenant)).await?;
        let mut rows = relations::list(&mut tx, tenant, (&customer, as_of), page.after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.relation_id);
        Ok(ListRelationsResponse {
            relations: rows.iter().map(convert::customer::relation).collect(),
            next_page_token,
        })
    }

    /// Creates or changes a contact.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn put_contact(
        &self,
        caller: &Caller,
        request: &PutContactRequest,
    ) -> Result<PutContactResponse, Error> {
        let sent = request.contact.as_ref();
        let sent = sent.ok_or_else(|| Error::invalid("contact", "must be given"))?;
        let names = [&sent.name, &sent.display_name, &sent.title].map(String::as_str);
        let contact = Contact::parse(names, &sent.phones, &sent.emails)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let mut tx = self.db.begin("put_contact", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "put_contact", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        customers::put_contact(&mut tx, tenant, &contact, now).await?;
        let of = relations::list_accounts(&mut tx, tenant, ("contact", contact.id.id()), now).await?;
        self.tell_customers(&mut tx, tenant, &of, &contact.id).await?;
        let response = PutContactResponse {
            name: contact.id.to_string(),
            update_time: Some(convert::timestamp(now)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        Ok(response)
    }

    /// Creates or changes a device.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::AlreadyExists`] for a serial number that another device of the model has.
    pub(crate) async fn put_device(
        &self,
        caller: &Caller,
        request: &PutDeviceRequest,
    ) -> Result<PutDeviceResponse, Error> {
        let sent = request.device.as_ref();
        let sent = sent.ok_or_else(|| Error::invalid("device", "must be given"))?;
        let texts = [&sent.name, &sent.model, &sent.serial, &sent.install_date].map(String::as_str);
        let device = Device::parse(texts)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let mut tx = self.db.begin("put_device", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "put_device", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let put = customers::put_device(&mut tx, tenant, &device, now).await;
        put.map_err(|error| taken(error, "devices_serial_key", "a device of this model and serial"))?;
        let of = relations::list_accounts(&mut tx, tenant, ("device", device.id.id()), now).await?;
        self.tell_customers(&mut tx, tenant, &of, &device.id).await?;
        let setup = self.setups.get(&mut tx, tenant).await?;
        let judged = Judged {
            policy: &CustomerPolicy::default(),
            zone: setup.calendar(&CalendarId::default_of_tenant()).time_zone(),
            now,
        };
        let response = PutDeviceResponse {
            device: Some(judged.device(&device)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        Ok(response)
    }
}

/// Checks that both ends of a relation exist.
async fn check_exists(tx: &mut PgConnection, tenant: &TenantId, relation: &Relation) -> Result<(), Error> {
    let absent = |name: &dyn ToString| Error::WrongState(format!("{} does not exist", name.to_string()));
    if customers::find(tx, tenant, &relation.customer).await?.is_none() {
        return Err(absent(&relation.customer));
    }
    match &relation.object {
        Object::Contact(id) if customers::list_contacts(tx, tenant, &[id]).await?.is_empty() => Err(absent(id)),
        Object::Device(id) if customers::list_devices(tx, tenant, &[id]).await?.is_empty() => Err(absent(id)),
        Object::Contact(_) | Object::Device(_) | Object::PurchaseCycle(_) => Ok(()),
    }
}

/// Tells which relation stands in the way of one that the database refused.
fn excluded(error: DbError, relation: &Relation) -> Error {
    let description = match error.constraint() {
        Some("account_relations_device_excl") => {
            "该设备此时已属于某个客户 / the device stands at a customer in that time already"
        }
        Some("account_relations_contact_excl") => {
            "该联系人此时在该客户已有此角色 / the contact has this role there in that time already"
        }
        Some("account_relations_cycle_excl") => {
            "该产品此时在该客户已有采购周期 / the product has a cycle there in that time already"
        }
        _ => return error.into(),
    };
    Error::WrongState(format!("{description}: {}", relation.object.key()))
}
