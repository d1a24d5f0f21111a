//! `TemplateService`.

use reflex_proto::notifications::v1::{
    ListTemplatesRequest, ListTemplatesResponse, PutTemplateRequest, PutTemplateResponse,
    template_service_server::TemplateService,
};
use reflex_rpc::{identity::Caller, page::page_size, status::Violations};
use tonic::{Request, Response, Status};

use super::{Rpc, cut, request_id};
use crate::{
    api,
    app::put_template::WantedTemplate,
    domain::template::{Key, Locale},
};

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
        let key = Key::find(&template.key);
        if key.is_none() {
            let known: Vec<_> = Key::ALL.into_iter().map(Key::as_str).collect();
            violations.add("template.key", format!("must be one of {}", known.join(", ")));
        }
        let locale = Locale::find(&template.locale);
        if locale.is_none() {
            let known: Vec<_> = Locale::ALL.into_iter().map(Locale::as_str).collect();
            violations.add("template.locale", format!("must be one of {}", known.join(", ")));
        }
        violations.finish()?;
        let wanted = WantedTemplate {
            key: key.expect("a violation was added otherwise"),
            locale: locale.expect("a violation was added otherwise"),
            title: template.title,
            body: template.body,
        };
        let response = self
            .app
            .put_template(&caller.tenant, wanted, request_id, &request)
            .await?;
        Ok(Response::new(response))
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
}
