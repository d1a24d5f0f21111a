//! Filled-in forms: their answers are checked against the version they were made with, and become a lead.

use std::collections::BTreeMap;

use reflex_proto::leads::v1::SubmitFormRequest;
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::TenantSet;
use sha2::{Digest, Sha256};

use super::{
    App,
    capture_lead::{Captured, recognise},
    list_directory::resource,
};
use crate::{
    domain::{
        form::Form,
        form_schema::Version,
        ids::FormId,
        member::Locale,
        new_lead::{NewLead, RawLead},
        submission,
        violation::{Violation, Violations},
    },
    error::Error,
    store::{
        capture::{self, Key},
        form_versions, forms,
    },
};

const MAX_ANSWERS: usize = 100;

impl App {
    /// Stores the lead of a filled-in form, once.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::WrongState`], and those of a capture.
    pub(crate) async fn submit_form(&self, caller: &Caller, request: SubmitFormRequest) -> Result<Captured, Error> {
        let tenant = &caller.tenant;
        let id: FormId = resource("name", &request.name)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let mut violations = Violations::default();
        let external_id = violations.line("external_id", &request.external_id, 0..=200);
        if request_id.is_none() && external_id.is_empty() {
            violations.add("request_id", "must be set where external_id is empty");
        }
        let locale = check(violations, &request)?;
        let payload_hash = fingerprint(&request);

        let mut tx = self.db.begin("submit_form", &TenantSet::one(tenant)).await?;
        let form = forms::find(&mut tx, tenant, &id).await?;
        let form = form.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let key = Key {
            tenant,
            request_id,
            source: &form.source,
            external_id: &external_id,
            payload_hash: &payload_hash,
        };
        // Before anything else: what was stored stays stored, also when the form would refuse it by now.
        let earlier = capture::list_earlier(&mut tx, &[key]).await?;
        if let Some(outcome) = recognise(&key, &earlier) {
            return Ok(outcome?);
        }
        if !form.enabled {
            return Err(Error::WrongState(format!("{id} is switched off")));
        }
        let wanted = (request.version != 0).then_some(request.version);
        let version = form_versions::find(&mut tx, tenant, &id, wanted).await?;
        drop(tx);
        let version = version.ok_or_else(|| match wanted {
            Some(_) => Error::invalid("version", "is no published version of the form"),
            None => Error::WrongState(format!("{id} has no schema")),
        })?;
        let lead = read(&form, &version, request, locale)?;
        self.capture(tenant.clone(), lead, request_id, payload_hash).await
    }
}

/// Checks everything but the answers, and returns the language of what is said about those.
fn check(mut violations: Violations, request: &SubmitFormRequest) -> Result<Locale, Vec<Violation>> {
    if request.answers.len() > MAX_ANSWERS {
        violations.add("answers", format!("must be at most {MAX_ANSWERS}"));
    }
    if request.version < 0 {
        violations.add("version", "must be 0 or a published version");
    }
    let locale = Locale::find(&request.locale);
    if locale.is_none() {
        violations.add("locale", "must be \"zh-CN\" or \"en\"");
    }
    match locale {
        Some(locale) if violations.is_empty() => Ok(locale),
        _ => Err(violations.into_vec()),
    }
}

fn read(form: &Form, version: &Version, request: SubmitFormRequest, locale: Locale) -> Result<NewLead, Vec<Violation>> {
    let answers: BTreeMap<_, _> = request.answers.into_iter().collect();
    let raw = submission::read(&version.schema, answers, locale).map_err(|mut faults| {
        for fault in &mut faults {
            fault.field.insert_str(0, "answers.");
        }
        faults
    })?;
    let product = if raw.product.is_empty() {
        form.default_product.clone()
    } else {
        raw.product
    };
    let lead = RawLead {
        source: form.source.clone(),
        external_id: request.external_id,
        product,
        form: form.id.to_string(),
        form_version: Some(version.number),
        raw_payload: request.raw_payload,
        ..raw
    };
    NewLead::parse(lead).map_err(|mut faults| {
        for fault in &mut faults {
            let own = fault.field.strip_prefix("lead.").unwrap_or_default();
            fault.field = match own {
                "external_id" | "raw_payload" => own.to_owned(),
                // The schema has checked its fields; what is left is about the answers beside them.
                _ => "answers".to_owned(),
            };
        }
        faults
    })
}

/// Hashes what a submission says, so that the same request id with other answers is noticed. Which version counts is not
/// part of it unless it was named: a repeat must not differ because another was published meanwhile.
fn fingerprint(request: &SubmitFormRequest) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(bytes);
    };
    add(b"submit_form");
    add(request.name.as_bytes());
    add(&request.version.to_le_bytes());
    add(request.external_id.as_bytes());
    for (name, answer) in request.answers.iter().collect::<BTreeMap<_, _>>() {
        add(name.as_bytes());
        add(answer.as_bytes());
    }
    add(&request.raw_payload);
    hash.finalize().into()
}
