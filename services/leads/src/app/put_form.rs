//! Creating, changing and showing forms.

use prost::Message;
use reflex_pg::DbError;
use reflex_proto::leads::v1::{GetFormResponse, ListFormsRequest, ListFormsResponse, PutFormRequest, PutFormResponse};
use reflex_rpc::identity::Caller;
use reflex_tenancy::{TenantId, TenantSet};
use sha2::{Digest, Sha256};

use super::{App, change_setup::Begun, list_directory::resource, paging::Page};
use crate::{
    convert,
    domain::{form::Form, ids::FormId, violation::Violation},
    error::Error,
    store::{form_versions, forms},
};

const LARGEST_PAGE: i32 = 500;
/// Half of what a client takes by default.
const LARGEST_PAGE_BYTES: usize = 2 * 1024 * 1024;
/// Characters of a made key after its prefix: more than 140 bits.
const KEY_CHARACTERS: usize = 28;

impl App {
    /// Creates or changes a form. Without a write key it keeps the one it has or gets a new one, without a schema the
    /// versions it has.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn put_form(&self, caller: &Caller, request: &PutFormRequest) -> Result<PutFormResponse, Error> {
        let form = request
            .form
            .as_ref()
            .ok_or_else(|| Error::invalid("form", "must be given"))?;
        let schema = form.schema.as_ref();
        let schema = schema.map(|schema| convert::form::parse_schema("form.schema", schema));
        let (mut form, schema) = both(
            Form::parse(&caller.tenant, &convert::form::raw_form(form)),
            schema.transpose(),
        )?;
        let mut change = match self
            .begin_change("put_form", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let stored = forms::find(&mut change.tx, &change.tenant, &form.id).await?;
        if form.write_key.is_none() {
            let kept = stored.as_ref().and_then(|stored| stored.write_key.clone());
            form.write_key = Some(kept.unwrap_or_else(|| self.make_key(&change.tenant)));
        }
        if stored.as_ref() != Some(&form) {
            let written = forms::put(&mut change.tx, &change.tenant, &form, self.clock.now()).await;
            written.map_err(on_write_key)?;
            change.publish().await?;
        }
        let newest = match schema {
            Some(schema) => Some(self.publish(&mut change, &form.id, schema).await?),
            None => form_versions::find(&mut change.tx, &change.tenant, &form.id, None).await?,
        };
        let response = PutFormResponse {
            form: Some(convert::form::form(&form, newest.as_ref())),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Returns one form.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`].
    pub(crate) async fn get_form(&self, caller: &Caller, name: &str) -> Result<GetFormResponse, Error> {
        let id: FormId = resource("name", name)?;
        let mut tx = self.db.begin("get_form", &TenantSet::one(&caller.tenant)).await?;
        let form = forms::find(&mut tx, &caller.tenant, &id)
            .await?
            .ok_or_else(|| Error::NotFound(id.to_string()))?;
        let newest = form_versions::find(&mut tx, &caller.tenant, &id, None).await?;
        Ok(GetFormResponse {
            form: Some(convert::form::form(&form, newest.as_ref())),
        })
    }

    /// Lists forms by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_forms(
        &self,
        caller: &Caller,
        request: &ListFormsRequest,
    ) -> Result<ListFormsResponse, Error> {
        let query = ("forms", caller.tenant.as_str());
        let mut page: Page<_, String> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_forms", &TenantSet::one(&caller.tenant)).await?;
        let mut forms = forms::list(&mut tx, &caller.tenant, page.after.as_deref(), page.limit()).await?;
        let ids: Vec<_> = forms.iter().map(|form| &form.id).collect();
        let newest = form_versions::newest(&mut tx, &caller.tenant, &ids).await?;
        let messages: Vec<_> = forms
            .iter()
            .map(|form| convert::form::form(form, newest.get(&form.id)))
            .collect();
        page.fit(messages.iter().map(Message::encoded_len), LARGEST_PAGE_BYTES);
        let next_page_token = page.cut(&self.pages, &mut forms, |form| form.id.id().to_owned());
        Ok(ListFormsResponse {
            forms: messages.into_iter().take(forms.len()).collect(),
            next_page_token,
        })
    }

    /// Makes a key that nobody guesses: two ids hold more random bits than it has. Its beginning tells a gateway whose
    /// form it names.
    fn make_key(&self, tenant: &TenantId) -> String {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let hash = Sha256::new()
            .chain_update(self.ids.next())
            .chain_update(self.ids.next())
            .finalize();
        let digit = |byte: &u8| char::from(DIGITS[usize::from(*byte) % DIGITS.len()]);
        let secret: String = hash.iter().take(KEY_CHARACTERS).map(digit).collect();
        format!("wk_{tenant}_{secret}")
    }
}

/// Returns both parts, or everything that is wrong with either.
fn both<A, B>(one: Result<A, Vec<Violation>>, other: Result<B, Vec<Violation>>) -> Result<(A, B), Vec<Violation>> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(mut faults), Err(more)) => {
            faults.extend(more);
            Err(faults)
        }
        (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
    }
}

fn on_write_key(error: DbError) -> Error {
    match error.constraint() {
        Some(forms::WRITE_KEY_KEY) => Error::invalid("form.write_key", "is that of another form"),
        _ => error.into(),
    }
}
