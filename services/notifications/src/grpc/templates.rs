//! `TemplateService`.

use reflex_proto::notifications::v1::{
    GetTemplateRequest, GetTemplateResponse, ListTemplateVersionsRequest, ListTemplateVersionsResponse,
    ListTemplatesRequest, ListTemplatesResponse, PreviewTemplateRequest, PreviewTemplateResponse, PutTemplateRequest,
    PutTemplateResponse, template_service_server::TemplateService,
};
use reflex_rpc::{
    identity::Caller,
    page::page_size,
    status::{Violations, denied},
};
use reflex_templates::{Key, Locale};
use tonic::{Request, Response, Status};

use super::{Rpc, cut, request_id, uuid_of};
use crate::{
    api,
    app::{
        preview_template::{Material, Wanted},
        put_template::WantedTemplate,
    },
};

/// What previewing with the facts of a message needs besides.
const READ_MESSAGES: &str = "messages.read";
/// Longest fact in a preview, in characters.
const MAX_FACT: usize = 2_000;

#[tonic::async_trait]
impl TemplateService for Rpc {
    async fn put_template(
        &self,
        request: Request<PutTemplateRequest>,
    ) -> Result<Response<PutTemplateResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let template = request.template.clone().unwrap_or_default();
        let mut violations = Violations::default();
        let request_id = request_id(&request.request_id, &mut violations);
        let (key, locale) = kind(&mut violations, "template.", &template.key, &template.locale);
        violations.finish()?;
        let wanted = WantedTemplate {
            key,
            locale,
            title: template.title,
            body: template.body,
        };
        let response = self.app.put_template(&caller, wanted, request_id, &request).await?;
        Ok(Response::new(response))
    }

    async fn get_template(
        &self,
        request: Request<GetTemplateRequest>,
    ) -> Result<Response<GetTemplateResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let (key, locale) = kind(&mut violations, "", &request.key, &request.locale);
        violations.finish()?;
        let template = self
            .app
            .get_template(&caller.tenant, key, locale, request.version)
            .await?;
        Ok(Response::new(GetTemplateResponse {
            template: Some(api::template(template)),
        }))
    }

    async fn list_templates(
        &self,
        request: Request<ListTemplatesRequest>,
    ) -> Result<Response<ListTemplatesResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let size = page_size(request.page_size, 100, 500)?;
        let query = ("templates", &caller.tenant);
        let after: Option<(String, String)> = self.pages.decode(&query, &request.page_token)?;
        let mut templates = self.app.list_templates(&caller.tenant).await?;
        if let Some((key, locale)) = &after {
            templates.retain(|template| (template.key.as_str(), template.locale.as_str()) > (key, locale));
        }
        let next_page_token = cut(&self.pages, &query, size, &mut templates, |template| {
            (template.key.as_str(), template.locale.as_str())
        });
        Ok(Response::new(ListTemplatesResponse {
            templates: templates.into_iter().map(api::template).collect(),
            next_page_token,
        }))
    }

    async fn list_template_versions(
        &self,
        request: Request<ListTemplateVersionsRequest>,
    ) -> Result<Response<ListTemplateVersionsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let (key, locale) = kind(&mut violations, "", &request.key, &request.locale);
        violations.finish()?;
        let size = page_size(request.page_size, 20, 100)?;
        let query = ("template versions", &caller.tenant, key.as_str(), locale.as_str());
        let after: Option<i32> = self.pages.decode(&query, &request.page_token)?;
        let up_to = after.map_or(i32::MAX, |version| version - 1);
        let limit = usize::try_from(size + 1).expect("a page size is positive");
        let mut versions = self
            .app
            .list_template_versions(&caller.tenant, key, locale, up_to, limit)
            .await?;
        let next_page_token = cut(&self.pages, &query, size, &mut versions, |template| template.version);
        Ok(Response::new(ListTemplateVersionsResponse {
            versions: versions.into_iter().map(api::template).collect(),
            next_page_token,
        }))
    }

    async fn preview_template(
        &self,
        request: Request<PreviewTemplateRequest>,
    ) -> Result<Response<PreviewTemplateResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let draft = request.draft.unwrap_or_default();
        let mut violations = Violations::default();
        let (key, locale) = kind(&mut violations, "draft.", &draft.key, &draft.locale);
        let is_draft = !draft.title.is_empty() || !draft.body.is_empty();
        if is_draft && request.version.is_some() {
            violations.add("version", "must be absent where a draft is given");
        }
        if !request.message.is_empty() && !request.facts.is_empty() {
            violations.add("facts", "must be empty where a message is given");
        }
        // Of a key that is none, nothing can be said about its variables.
        if Key::find(&draft.key).is_some() {
            check_facts(&mut violations, key, &request.facts);
        }
        violations.finish()?;
        let material = if request.message.is_empty() {
            Material::Facts(request.facts.into_iter().collect())
        } else if caller.may(READ_MESSAGES) {
            Material::Message(uuid_of("messages/", &request.message)?)
        } else {
            return Err(denied(READ_MESSAGES));
        };
        let wanted = Wanted {
            key,
            locale,
            draft: is_draft.then_some((draft.title, draft.body)),
            version: request.version,
        };
        let preview = self.app.preview_template(&caller.tenant, wanted, material).await?;
        Ok(Response::new(api::preview(preview)))
    }
}

/// Reads key and locale; when one is none, a violation says so and the answer stands for nothing.
fn kind(violations: &mut Violations, path: &str, key: &str, locale: &str) -> (Key, Locale) {
    let found = (Key::find(key), Locale::find(locale));
    if found.0.is_none() {
        let known: Vec<_> = Key::ALL.into_iter().map(Key::as_str).collect();
        violations.add(format!("{path}key"), format!("must be one of {}", known.join(", ")));
    }
    if found.1.is_none() {
        let known: Vec<_> = Locale::ALL.into_iter().map(Locale::as_str).collect();
        violations.add(format!("{path}locale"), format!("must be one of {}", known.join(", ")));
    }
    (found.0.unwrap_or(Key::Digest), found.1.unwrap_or(Locale::ZhCn))
}

fn check_facts(violations: &mut Violations, key: Key, facts: &std::collections::HashMap<String, String>) {
    let is_known = |name: &str| key.variables().iter().any(|variable| variable.name == name);
    if facts.keys().any(|name| !is_known(name)) {
        let names: Vec<_> = key.variables().iter().map(|variable| variable.name).collect();
        let description = format!("must have no other names than {}", names.join(", "));
        violations.add("facts", description);
    }
    if facts.values().any(|fact| fact.chars().count() > MAX_FACT) {
        violations.add("facts", format!("must have at most {MAX_FACT} characters each"));
    }
}
