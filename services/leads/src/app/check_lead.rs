//! Compares what somebody is typing with the leads that are there; writes nothing.

use std::collections::HashMap;

use reflex_proto::leads::v1::{CheckLeadRequest, CheckLeadResponse, check_lead_response::Candidate};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;
use uuid::Uuid;

use super::{App, find_duplicates::Findings};
use crate::{
    convert,
    domain::{
        duplicates::{
            Typed, attributes_of,
            board::{Compared, Subject},
        },
        violation::Violation,
    },
    error::Error,
    store::duplicates,
};

const MOST_CHARACTERS: usize = 500;
const MOST_CANDIDATES: usize = 20;

impl App {
    /// Returns the leads that a lead would be suspected to be the same as.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::WrongState`] where leads are not compared.
    pub(crate) async fn check_lead(
        &self,
        caller: &Caller,
        request: &CheckLeadRequest,
    ) -> Result<CheckLeadResponse, Error> {
        check_lengths(request)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("check_lead", &TenantSet::one(tenant)).await?;
        let setup = self.setups.get(&mut tx, tenant).await?;
        if setup.duplicates.disabled {
            return Err(Error::WrongState("the tenant's leads are not compared".into()));
        }
        // Later than all that are there.
        let lead = Uuid::max();
        let findings = Findings::of(&mut tx, tenant, &setup.duplicates, vec![subject(lead, request)]).await?;
        let suspected = findings.suspected().remove(&lead).unwrap_or_default();
        let ids: Vec<Uuid> = suspected.iter().map(|pair| pair.earlier).collect();
        let mut sides = HashMap::new();
        if !ids.is_empty() {
            for row in duplicates::list_sides(&mut tx, tenant, &ids).await? {
                sides.insert(row.lead_id, convert::duplicates::side(&row, caller));
            }
        }
        let candidates = suspected.iter().filter_map(|pair| {
            Some(Candidate {
                lead: Some(sides.remove(&pair.earlier)?),
                score: pair.score,
                fields: convert::duplicates::evidence(pair.evidence.as_deref().unwrap_or_default()),
            })
        });
        Ok(CheckLeadResponse {
            candidates: candidates.take(MOST_CANDIDATES).collect(),
            compared: i32::try_from(findings.compared()).unwrap_or(i32::MAX),
        })
    }
}

fn subject(lead: Uuid, request: &CheckLeadRequest) -> Subject {
    let mut attributes = HashMap::new();
    for (field, text) in [
        (reflex_matching::Field::Address, &request.address),
        (reflex_matching::Field::City, &request.city),
        (reflex_matching::Field::Code, &request.code),
    ] {
        if let Some(name) = attributes_of(field).first() {
            attributes.insert((*name).to_owned(), text.clone());
        }
    }
    let typed = Typed {
        company: &request.company,
        contact: &request.contact_name,
        phone: &request.phone,
        email: &request.email,
        attributes: &attributes,
    };
    Subject {
        lead: Compared::new(lead, &typed, ["", ""]),
        stored_keys: None,
    }
}

fn check_lengths(request: &CheckLeadRequest) -> Result<(), Error> {
    let fields = [
        ("company", &request.company),
        ("contact_name", &request.contact_name),
        ("phone", &request.phone),
        ("email", &request.email),
        ("address", &request.address),
        ("city", &request.city),
        ("code", &request.code),
    ];
    let long = |(field, text): (&str, &String)| {
        (text.chars().count() > MOST_CHARACTERS).then(|| Violation {
            field: field.to_owned(),
            description: format!("must be at most {MOST_CHARACTERS} characters"),
        })
    };
    let violations: Vec<Violation> = fields.into_iter().filter_map(long).collect();
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations.into())
    }
}
