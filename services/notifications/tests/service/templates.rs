//! Versions and previews of templates over gRPC.

use reflex_proto::{
    notifications::v1::{
        GetTemplateRequest, ListMessagesRequest, ListTemplateVersionsRequest, PreviewTemplateRequest,
        PutTemplateRequest, Template, preview_template_response::Format,
        template_service_client::TemplateServiceClient,
    },
    platform::v1::Reason,
};
use reflex_rpc::{identity::Role, status::reason_of};
use reflex_testing::eventually;
use tonic::Code;

use crate::{
    api::{fields, list},
    served::Served,
};

#[tokio::test]
async fn every_version_stays_and_says_who_published_it() {
    let served = Served::start().await;
    let mut templates = TemplateServiceClient::new(served.caller(Role::Manager, Some("liu.min")));
    let which = || ("lead_assigned".to_owned(), "zh-CN".to_owned());
    for title in ["来单 {{number}}", "来单啦 {{number}}", "来单 {{number}}"] {
        let (key, locale) = which();
        let template = Template {
            key,
            locale,
            title: title.to_owned(),
            body: "{{company}}".to_owned(),
            ..Template::default()
        };
        let request = PutTemplateRequest {
            template: Some(template),
            ..PutTemplateRequest::default()
        };
        templates.put_template(request).await.unwrap();
    }
    let (key, locale) = which();
    let mut page = ListTemplateVersionsRequest {
        key,
        locale,
        page_size: 2,
        page_token: String::new(),
    };
    let mut listed = Vec::new();
    loop {
        let response = templates
            .list_template_versions(page.clone())
            .await
            .unwrap()
            .into_inner();
        assert!(response.versions.len() <= 2);
        listed.extend(response.versions);
        page.page_token = response.next_page_token;
        if page.page_token.is_empty() {
            break;
        }
    }
    let versions: Vec<_> = listed
        .iter()
        .map(|template| (template.version, template.title.as_str()))
        .collect();
    assert_eq!(
        versions,
        [
            (3, "来单 {{number}}"),
            (2, "来单啦 {{number}}"),
            (1, "来单 {{number}}"),
            (0, "新线索 {{number}}：{{company}}"),
        ]
    );
    assert!(
        listed[..3]
            .iter()
            .all(|version| version.publisher == "members/liu.min" && version.publish_time.is_some())
    );
    assert!(listed[3].publisher.is_empty() && listed[3].publish_time.is_none());

    let mut get = async |version| {
        let (key, locale) = which();
        templates
            .get_template(GetTemplateRequest { key, locale, version })
            .await
    };
    for (asked, expected) in [(None, 3), (Some(2), 2), (Some(0), 0)] {
        let got = get(asked).await.unwrap().into_inner().template.unwrap();
        assert_eq!(got.version, expected);
    }
    for absent in [4, -1] {
        assert_eq!(reason_of(&get(Some(absent)).await.unwrap_err()), Some(Reason::NotFound));
    }
    served.stop().await;
}

#[tokio::test]
async fn a_draft_is_previewed_with_the_facts_of_a_message() {
    let mut served = Served::start().await;
    let assigned = served.facts.assigned("1", "zhang.wei");
    served.tell(&[assigned]).await;
    let message = eventually("the owner is told", async || {
        list(&served, ListMessagesRequest::default()).await.unwrap().0.pop()
    })
    .await;
    let draft = |title: &str, body: &str| PreviewTemplateRequest {
        draft: Some(Template {
            key: "lead_assigned".to_owned(),
            locale: "zh-CN".to_owned(),
            title: title.to_owned(),
            body: body.to_owned(),
            ..Template::default()
        }),
        message: message.name.clone(),
        ..PreviewTemplateRequest::default()
    };
    let mut templates = served.templates();
    let shown = templates
        .preview_template(draft("来单 {{number}}", "### {{company}}\n- **{{contact_name}}**"))
        .await
        .unwrap()
        .into_inner();
    let texts: Vec<_> = shown
        .renderings
        .iter()
        .map(|shown| (shown.format(), shown.text.as_str()))
        .collect();
    assert_eq!(
        texts,
        [
            (Format::Markdown, "### 华东机床\n- **王芳 139•••**"),
            (Format::WecomMarkdown, "### 华东机床\n- **王芳 139•••**"),
            (Format::FeishuMarkdown, "**华东机床**\n- **王芳 139•••**"),
            (
                Format::Html,
                "<h3>华东机床</h3>\n<ul>\n<li><strong>王芳 139•••</strong></li>\n</ul>\n"
            ),
            (Format::Plain, "华东机床\n- 王芳 139•••"),
        ]
    );
    assert!(shown.renderings.iter().all(|shown| shown.title == "来单 L-1"));
    assert!(shown.template.is_empty());
    let stored = templates.preview_template(draft("", "")).await.unwrap().into_inner();
    assert_eq!(stored.template, "lead_assigned@0");
    assert_eq!(stored.renderings[0].title, message.title);
    assert_eq!(stored.renderings[0].text, message.body);

    let faulty = templates
        .preview_template(draft("来单", "{{number}}"))
        .await
        .unwrap()
        .into_inner();
    assert!(faulty.renderings.is_empty());
    assert_eq!(faulty.problems[0].code, "missing_variable");
    assert_eq!(
        faulty.problems[0].message_zh,
        "这类消息必须写明客户，请在标题或正文中加入 {{company}}"
    );
    served.stop().await;
}

#[tokio::test]
async fn a_preview_shows_nothing_its_caller_may_not_see() {
    let mut served = Served::start().await;
    let assigned = served.facts.assigned("1", "zhang.wei");
    served.tell(&[assigned]).await;
    let message = eventually("the owner is told", async || {
        list(&served, ListMessagesRequest::default()).await.unwrap().0.pop()
    })
    .await;
    let request = |message: &str, facts: &[(&str, &str)]| PreviewTemplateRequest {
        draft: Some(Template {
            key: "lead_assigned".to_owned(),
            locale: "en".to_owned(),
            ..Template::default()
        }),
        message: message.to_owned(),
        facts: facts
            .iter()
            .map(|&(name, fact)| (name.to_owned(), fact.to_owned()))
            .collect(),
        ..PreviewTemplateRequest::default()
    };
    let mut viewer = TemplateServiceClient::new(served.caller(Role::Viewer, None));
    let refused = viewer.preview_template(request(&message.name, &[])).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let given = viewer
        .preview_template(request("", &[("number", "L-7")]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(given.renderings[0].title, "New lead L-7: —");

    let huabei = "huabei".parse().unwrap();
    let mut neighbour = TemplateServiceClient::new(served.caller_of(&huabei, Role::Admin, None));
    for name in [
        message.name.as_str(),
        "messages/0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
        "nonsense",
    ] {
        let refused = neighbour.preview_template(request(name, &[])).await.unwrap_err();
        assert_eq!(reason_of(&refused), Some(Reason::NotFound), "{name}");
    }
    let long = "长".repeat(2_001);
    for (message, facts, field) in [
        ("", &[("phone", "1")][..], "facts"),
        ("", &[("number", long.as_str())], "facts"),
        (message.name.as_str(), &[("number", "L-7")], "facts"),
    ] {
        let refused = viewer.preview_template(request(message, facts)).await.unwrap_err();
        assert_eq!(fields(&refused), [field]);
    }
    let unknown = PreviewTemplateRequest::default();
    assert_eq!(
        fields(&viewer.preview_template(unknown).await.unwrap_err()),
        ["draft.key", "draft.locale"]
    );
    served.stop().await;
}
