//! Customers: put with their accounts, shown with what is related to them, listed by how fresh they are.

use std::collections::HashMap;

use jiff::Timestamp;
use reflex_pg::{
    DbError,
    once::{self, Once},
};
use reflex_proto::leads::v1::{
    Customer as CustomerMessage, CustomerChanged, CustomerTrack, Freshness, GetCustomerPolicyResponse,
    GetCustomerRequest, GetCustomerResponse, ListCustomersRequest, ListCustomersResponse, PutCustomerPolicyRequest,
    PutCustomerPolicyResponse, PutCustomerRequest, PutCustomerResponse, Relation, relation::Object,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_runtime::telemetry;
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;

use super::{App, industries, list_directory::resource, paging::Page};
use crate::{
    convert::{self, customer::Judged},
    domain::{
        account::Account,
        customer::{Customer, CustomerPolicy, Track},
        ids::{AccountId, CalendarId, ContactId, DeviceId},
        relation,
    },
    error::Error,
    events::{self, Facts},
    setup::Setup,
    store::{
        accounts,
        customers::{self, CustomerRow},
        industries as industry_rows,
        relations::{self, RelationRow},
    },
};

const LARGEST_PAGE: i32 = 500;
/// Customers a page looks at.
const LOOKED_AT: usize = 2_000;
/// Relations a customer is shown with.
const SHOWN_RELATIONS: i64 = 500;

impl App {
    /// Creates or changes a customer.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::AlreadyExists`] for a credit code that another one has, [`Error::WrongState`] for an
    /// unknown industry.
    pub(crate) async fn put_customer(
        &self,
        caller: &Caller,
        request: &PutCustomerRequest,
    ) -> Result<PutCustomerResponse, Error> {
        let sent = request.customer.as_ref();
        let sent = sent.ok_or_else(|| Error::invalid("customer", "must be given"))?;
        let customer = Customer::parse(&convert::customer::raw_customer(sent))?;
        let request_id = RequestId::parse(&request.request_id)?;
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let mut tx = self.db.begin("put_customer", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "put_customer", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let industry_version = check_industry(&mut tx, tenant, &customer).await?;
        let known = accounts::find(&mut tx, tenant, &customer.id).await?;
        let account = Account {
            id: customer.id.clone(),
            display_name: customer.display_name.clone(),
            attributes: known.map(|row| row.account().attributes).unwrap_or_default(),
        };
        self.write_account(&mut tx, tenant, &account).await?;
        let put = customers::put(&mut tx, tenant, &customer, industry_version, now).await;
        put.map_err(|error| taken(error, "customers_credit_code_key", "a customer with this credit_code"))?;
        self.tell_customers(&mut tx, tenant, &[customer.id.key().to_owned()], &customer.id)
            .await?;
        let response = PutCustomerResponse {
            customer: Some(self.whole_customer(&mut tx, caller, (&customer.id, now)).await?),
        };
        // The answer is kept for repeated requests: what is known of people is not.
        let response = without_relations(response);
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        self.recomputes.wake(tenant);
        Ok(response)
    }

    /// Returns a customer.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`].
    pub(crate) async fn get_customer(
        &self,
        caller: &Caller,
        request: &GetCustomerRequest,
    ) -> Result<GetCustomerResponse, Error> {
        let id: AccountId = resource("name", &request.name)?;
        let as_of = request
            .as_of
            .as_ref()
            .map(|at| convert::instant("as_of", at))
            .transpose();
        let as_of = as_of.map_err(|violation| vec![violation])?;
        let at = as_of.unwrap_or_else(|| self.clock.now());
        let mut tx = self.db.begin("get_customer", &TenantSet::one(&caller.tenant)).await?;
        let customer = self.whole_customer(&mut tx, caller, (&id, at)).await?;
        Ok(GetCustomerResponse {
            customer: Some(customer),
        })
    }

    /// Lists customers by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_customers(
        &self,
        caller: &Caller,
        request: &ListCustomersRequest,
    ) -> Result<ListCustomersResponse, Error> {
        let unknown = |field: &str| Error::invalid(field, "is not known");
        let freshness = Freshness::try_from(request.freshness).map_err(|_| unknown("freshness"))?;
        let track = CustomerTrack::try_from(request.track).map_err(|_| unknown("track"))?;
        let tenant = &caller.tenant;
        let query = ("customers", tenant.as_str(), request.freshness, request.track);
        let page: Page<_, String> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_customers", &TenantSet::one(tenant)).await?;
        let setup = self.setups.get(&mut tx, tenant).await?;
        let policy = policy(&mut tx, tenant).await?;
        let judged = judged(&setup, &policy, self.clock.now());
        let fits = |row: &CustomerRow| {
            (freshness == Freshness::Unspecified || convert::customer::freshness(judged.freshness(row)) == freshness)
                && (track == CustomerTrack::Unspecified || convert::customer::track(judged.track(row)) == track)
        };
        let wanted = usize::try_from(page.limit() - 1).unwrap_or(usize::MAX);
        let (mut found, mut looked_at, mut next) = (Vec::new(), 0, page.after.clone());
        let next = loop {
            let rows = customers::list(&mut tx, tenant, None, (next.as_deref(), page.limit())).await?;
            let complete = i64::try_from(rows.len()).is_ok_and(|count| count < page.limit());
            looked_at += rows.len();
            let mut full = false;
            for row in rows {
                if found.len() == wanted {
                    full = true;
                    break;
                }
                next = Some(row.id().key().to_owned());
                if fits(&row) {
                    found.push(judged.customer(&row));
                }
            }
            match (full, complete) {
                (false, true) => break None,
                (true, _) => break next,
                (false, false) if looked_at >= LOOKED_AT => break next,
                (false, false) => {}
            }
        };
        Ok(ListCustomersResponse {
            customers: found,
            next_page_token: next.map(|key| self.pages.encode(&query, &key)).unwrap_or_default(),
        })
    }

    /// Sets the policy.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn put_customer_policy(
        &self,
        caller: &Caller,
        request: &PutCustomerPolicyRequest,
    ) -> Result<PutCustomerPolicyResponse, Error> {
        let sent = request.policy.as_ref();
        let sent = sent.ok_or_else(|| Error::invalid("policy", "must be given"))?;
        let policy = CustomerPolicy::parse(&sent.cutover_date, sent.fresh_days, sent.stale_days)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("put_customer_policy", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "put_customer_policy", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let stored = customers::find_policy(&mut tx, tenant).await?;
        let update_time = match stored {
            Some((before, at)) if before == policy => at,
            _ => {
                let now = self.clock.now();
                customers::put_policy(&mut tx, tenant, &policy, now).await?;
                now
            }
        };
        let response = PutCustomerPolicyResponse {
            policy: Some(convert::customer::policy(&policy, update_time)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// Returns the policy.
    ///
    /// # Errors
    /// [`Error::NotFound`] while there is none.
    pub(crate) async fn get_customer_policy(&self, caller: &Caller) -> Result<GetCustomerPolicyResponse, Error> {
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("get_customer_policy", &TenantSet::one(tenant)).await?;
        let stored = customers::find_policy(&mut tx, tenant).await?;
        let (policy, at) = stored.ok_or_else(|| Error::NotFound("a customer policy".into()))?;
        Ok(GetCustomerPolicyResponse {
            policy: Some(convert::customer::policy(&policy, at)),
        })
    }

    /// Notes that something of these customers was changed, and tells it.
    pub(super) async fn tell_customers(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        accounts: &[String],
        changed: &impl ToString,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        customers::touch(tx, tenant, accounts, now).await?;
        let facts = Facts {
            tenant,
            ids: &self.ids,
            time: now,
        };
        let told = accounts.iter().map(|account| {
            let customer = format!("accounts/{account}");
            let message = CustomerChanged {
                customer: customer.clone(),
                changed: changed.to_string(),
                change_time: Some(convert::timestamp(now)),
            };
            facts.fact(
                events::CUSTOMER_CHANGED,
                &customer,
                telemetry::current_traceparent(),
                &message,
            )
        });
        reflex_events::outbox::push(tx, &told.collect::<Vec<_>>()).await?;
        Ok(())
    }

    /// Reads a customer with what is related to it at an instant.
    async fn whole_customer(
        &self,
        tx: &mut PgConnection,
        caller: &Caller,
        (id, at): (&AccountId, Timestamp),
    ) -> Result<CustomerMessage, Error> {
        let tenant = &caller.tenant;
        let row = customers::find(tx, tenant, id).await?;
        let row = row.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let setup = self.setups.get(tx, tenant).await?;
        let policy = policy(tx, tenant).await?;
        let mut customer = judged(&setup, &policy, self.clock.now()).customer(&row);
        let rows = relations::list(tx, tenant, (id, Some(at)), None, SHOWN_RELATIONS).await?;
        customer.relations = rows.iter().map(convert::customer::relation).collect();
        let served = judged(&setup, &policy, at);
        detail(tx, caller, &served, &rows, &mut customer.relations).await?;
        if customer.track() == convert::customer::track(Track::Full) {
            let has_contact = customer
                .relations
                .iter()
                .any(|it| matches!(it.object, Some(Object::Contact(_))));
            let known = [
                ("credit_code", !customer.credit_code.is_empty()),
                ("industry", !customer.industry.is_empty()),
                ("contact", has_contact),
            ];
            let missing = known.into_iter().filter(|(_, known)| !known);
            customer.missing = missing.map(|(name, _)| name.to_owned()).collect();
        }
        Ok(customer)
    }
}

/// Adds the contacts and devices of relations.
async fn detail(
    tx: &mut PgConnection,
    caller: &Caller,
    judged: &Judged<'_>,
    rows: &[RelationRow],
    shown: &mut [Relation],
) -> Result<(), Error> {
    let objects: Vec<relation::Object> = rows.iter().map(|row| row.relation().object).collect();
    let mut contacts: Vec<&ContactId> = Vec::new();
    let mut devices: Vec<&DeviceId> = Vec::new();
    for object in &objects {
        match object {
            relation::Object::Contact(id) => contacts.push(id),
            relation::Object::Device(id) => devices.push(id),
            relation::Object::PurchaseCycle(_) => {}
        }
    }
    let contacts = customers::list_contacts(tx, &caller.tenant, &contacts).await?;
    let contacts: HashMap<_, _> = contacts.iter().map(|contact| (&contact.id, contact)).collect();
    let devices = customers::list_devices(tx, &caller.tenant, &devices).await?;
    let devices: HashMap<_, _> = devices.iter().map(|device| (&device.id, device)).collect();
    for (object, shown) in objects.iter().zip(shown) {
        match object {
            relation::Object::Contact(id) => {
                let contact = contacts.get(id);
                shown.contact_details = contact.map(|contact| convert::customer::contact(contact, caller));
            }
            relation::Object::Device(id) => {
                shown.device_details = devices.get(id).map(|device| judged.device(device));
            }
            relation::Object::PurchaseCycle(_) => {}
        }
    }
    Ok(())
}

/// Returns the version that a customer's industry is of.
async fn check_industry(tx: &mut PgConnection, tenant: &TenantId, customer: &Customer) -> Result<Option<i32>, Error> {
    let Some((code, version)) = &customer.industry else {
        return Ok(None);
    };
    let unknown = || {
        Error::WrongState(format!(
            "行业目录中没有代码 {code} / the tree of industries has no code {code}"
        ))
    };
    let version = match industries::find(tx, tenant, version.unwrap_or_default()).await {
        Err(Error::NotFound(_)) => return Err(unknown()),
        found => found?.version,
    };
    if industry_rows::has(tx, tenant, version, code).await? {
        Ok(Some(version))
    } else {
        Err(unknown())
    }
}

fn judged<'a>(setup: &'a Setup, policy: &'a CustomerPolicy, now: Timestamp) -> Judged<'a> {
    Judged {
        policy,
        zone: setup.calendar(&CalendarId::default_of_tenant()).time_zone(),
        now,
    }
}

async fn policy(tx: &mut PgConnection, tenant: &TenantId) -> Result<CustomerPolicy, DbError> {
    let stored = customers::find_policy(tx, tenant).await?;
    Ok(stored.map(|(policy, _)| policy).unwrap_or_default())
}

fn without_relations(mut response: PutCustomerResponse) -> PutCustomerResponse {
    if let Some(customer) = &mut response.customer {
        customer.relations.clear();
    }
    response
}

/// Makes a broken key the error that something exists already.
pub(super) fn taken(error: DbError, constraint: &str, what: &str) -> Error {
    if error.constraint() == Some(constraint) {
        Error::AlreadyExists(what.to_owned())
    } else {
        error.into()
    }
}
