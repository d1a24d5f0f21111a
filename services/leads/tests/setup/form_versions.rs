//! What forms ask: versions that never change, and submissions that are checked against theirs.

use reflex_proto::leads::v1::{
    Form, FormField, FormSchema, FormText, GetFormRequest, GetFormVersionRequest, LeadField, ListFormVersionsRequest,
    PublishFormRequest, PutFormRequest, SubmitFormRequest, SubmitFormResponse, form_field::Kind,
};
use reflex_rpc::identity::Role;
use tonic::Status;

use crate::harness::{
    Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, REUSED, WRONG_STATE, assert_refused,
};

const ONE: &str = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
const TWO: &str = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1c";

fn field(id: &str, kind: Kind, fills: LeadField) -> FormField {
    FormField {
        id: id.into(),
        kind: kind.into(),
        label: Some(FormText {
            zh: id.into(),
            en: String::new(),
        }),
        fills: fills.into(),
        ..FormField::default()
    }
}

fn company() -> FormField {
    FormField {
        required: true,
        ..field("company", Kind::ShortText, LeadField::Company)
    }
}

/// Asks for the company, and for what the version adds.
fn schema(more: Vec<FormField>) -> FormSchema {
    FormSchema {
        fields: std::iter::once(company()).chain(more).collect(),
    }
}

fn phone() -> FormField {
    FormField {
        required: true,
        ..field("phone", Kind::Phone, LeadField::Phone)
    }
}

fn form() -> Form {
    Form {
        name: "forms/website".into(),
        title: "官网咨询".into(),
        source: "website".into(),
        default_product: "骨科耗材".into(),
        enabled: true,
        ..Form::default()
    }
}

async fn put(caller: &mut Caller, form: Form) -> Result<Form, Status> {
    let request = PutFormRequest {
        form: Some(form),
        request_id: String::new(),
    };
    Ok(caller.forms.put_form(request).await?.into_inner().form.unwrap())
}

async fn publish(caller: &mut Caller, schema: FormSchema) -> Result<i32, Status> {
    let request = PublishFormRequest {
        name: "forms/website".into(),
        schema: Some(schema),
        request_id: String::new(),
    };
    let version = caller.forms.publish_form(request).await?.into_inner().version.unwrap();
    assert_eq!(version.name, format!("forms/website/versions/{}", version.version));
    Ok(version.version)
}

fn submission(version: i32, answers: &[(&str, &str)]) -> SubmitFormRequest {
    SubmitFormRequest {
        name: "forms/website".into(),
        version,
        answers: answers
            .iter()
            .map(|&(name, answer)| (name.into(), answer.into()))
            .collect(),
        raw_payload: b"{}".to_vec(),
        request_id: ONE.into(),
        ..SubmitFormRequest::default()
    }
}

async fn submit(caller: &mut Caller, request: SubmitFormRequest) -> Result<SubmitFormResponse, Status> {
    Ok(caller.forms.submit_form(request).await?.into_inner())
}

#[tokio::test]
async fn versions_are_added_and_never_changed() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    assert_refused(publish(&mut admin, schema(vec![])).await, NOT_FOUND, "forms/website");
    let shown = put(&mut admin, form()).await.unwrap();
    assert_eq!((shown.version, &shown.schema), (0, &None));
    assert_eq!(publish(&mut admin, schema(vec![])).await.unwrap(), 1);
    assert_eq!(publish(&mut admin, schema(vec![])).await.unwrap(), 1, "the same again");
    assert_eq!(publish(&mut admin, schema(vec![phone()])).await.unwrap(), 2);
    assert_eq!(
        publish(&mut admin, schema(vec![])).await.unwrap(),
        3,
        "back to the first"
    );

    let request = GetFormVersionRequest {
        name: "forms/website/versions/2".into(),
    };
    let second = admin
        .forms
        .get_form_version(request)
        .await
        .unwrap()
        .into_inner()
        .version;
    assert_eq!(second.unwrap().schema, Some(schema(vec![phone()])));
    for name in [
        "forms/website",
        "forms/website/versions/0",
        "forms/website/versions/+2",
        "forms/website/versions/02",
    ] {
        let request = GetFormVersionRequest { name: name.into() };
        assert_refused(admin.forms.get_form_version(request).await, INVALID, "name");
    }
    let mut request = ListFormVersionsRequest {
        parent: "forms/website".into(),
        page_size: 2,
        page_token: String::new(),
    };
    let page = admin
        .forms
        .list_form_versions(request.clone())
        .await
        .unwrap()
        .into_inner();
    let numbers = |versions: &[reflex_proto::leads::v1::FormVersion]| -> Vec<i32> {
        versions.iter().map(|version| version.version).collect()
    };
    assert_eq!(numbers(&page.versions), [3, 2]);
    request.page_token = page.next_page_token;
    let rest = admin
        .forms
        .list_form_versions(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((numbers(&rest.versions), rest.next_page_token.as_str()), (vec![1], ""));
    let theirs = leads.admin(HUABEI).forms.list_form_versions(request).await;
    assert_refused(theirs, OTHER_PAGE, "page_token");

    for right in ["update", "delete", "truncate"] {
        let allowed: bool = sqlx::query_scalar("select has_table_privilege('reflex_app', 'form_versions', $1)")
            .bind(right)
            .fetch_one(&leads.owner)
            .await
            .unwrap();
        assert!(!allowed, "{right}");
    }
}

#[tokio::test]
async fn a_form_is_put_with_its_schema_and_keeps_it() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let with = |schema: FormSchema| Form {
        schema: Some(schema),
        ..form()
    };
    let first = put(&mut admin, with(schema(vec![phone()]))).await.unwrap();
    assert_eq!((first.version, &first.schema), (1, &Some(schema(vec![phone()]))));
    assert_eq!(put(&mut admin, form()).await.unwrap(), first, "left out, it stays");
    assert_eq!(put(&mut admin, first.clone()).await.unwrap(), first, "as it was shown");
    assert_eq!(put(&mut admin, with(schema(vec![]))).await.unwrap().version, 2);
    let request = GetFormRequest {
        name: "forms/website".into(),
    };
    let shown = admin.forms.get_form(request).await.unwrap().into_inner().form.unwrap();
    assert_eq!((shown.version, shown.schema), (2, Some(schema(vec![]))));

    let nameless = |id: &str| field(id, Kind::Unspecified, LeadField::Unspecified);
    let refused = put(&mut admin, with(schema(vec![nameless("x")]))).await;
    assert_refused(refused, INVALID, "form.schema.fields[1].kind");
    let wrong = Form {
        source: String::new(),
        ..with(schema(vec![nameless("x")]))
    };
    assert_refused(put(&mut admin, wrong).await, INVALID, "2 fields");
    let mut unknown = schema(vec![]);
    unknown.fields[0].fills = 99;
    assert_refused(publish(&mut admin, unknown).await, INVALID, "schema.fields[0].fills");
    assert_refused(
        publish(&mut admin, FormSchema::default()).await,
        INVALID,
        "schema.fields",
    );
}

#[tokio::test]
async fn the_same_request_publishes_once() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    put(&mut admin, form()).await.unwrap();
    let mut request = PublishFormRequest {
        name: "forms/website".into(),
        schema: Some(schema(vec![])),
        request_id: ONE.into(),
    };
    let first = admin.forms.publish_form(request.clone()).await.unwrap().into_inner();
    publish(&mut admin, schema(vec![phone()])).await.unwrap();
    let again = admin.forms.publish_form(request.clone()).await.unwrap().into_inner();
    assert_eq!(again, first, "also when another is the newest by now");
    request.schema = Some(schema(vec![phone()]));
    assert_refused(admin.forms.publish_form(request).await, REUSED, "request");
}

#[tokio::test]
async fn a_submission_is_checked_against_its_own_version_and_keeps_it() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    put(&mut admin, form()).await.unwrap();
    let answers = [("company", "华东机床"), ("utm", "spring")];
    assert_refused(
        submit(&mut admin, submission(0, &answers)).await,
        WRONG_STATE,
        "no schema",
    );
    publish(&mut admin, schema(vec![])).await.unwrap();
    publish(&mut admin, schema(vec![phone()])).await.unwrap();

    let newest = submit(&mut admin, submission(0, &answers)).await;
    assert_refused(newest, INVALID, "answers.phone: 必填");
    let english = SubmitFormRequest {
        locale: "en".into(),
        ..submission(2, &answers)
    };
    assert_refused(
        submit(&mut admin, english).await,
        INVALID,
        "answers.phone: must be given",
    );
    let mut gateway = leads.caller(HUADONG, Role::Service);
    let stored = submit(&mut gateway, submission(1, &answers)).await.unwrap();
    assert!(!stored.existed);
    let lead = admin.lead(&stored.name).await;
    assert_eq!((lead.form.as_str(), lead.form_version), ("forms/website", 1));
    assert_eq!((lead.company.as_str(), lead.source.as_str()), ("华东机床", "website"));
    assert_eq!(
        (lead.product.as_str(), lead.attributes["utm"].as_str()),
        ("骨科耗材", "spring")
    );
    assert_eq!(lead.number, stored.number);
    let raw: Vec<u8> = sqlx::query_scalar("select raw_payload from leads")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(raw, b"{}");
}

#[tokio::test]
async fn a_repeated_submission_is_one_lead() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    put(&mut admin, form()).await.unwrap();
    publish(&mut admin, schema(vec![])).await.unwrap();
    let answers = [("company", "华东机床")];
    let first = submit(&mut admin, submission(0, &answers)).await.unwrap();
    // By now the form would refuse it.
    publish(&mut admin, schema(vec![phone()])).await.unwrap();
    put(
        &mut admin,
        Form {
            enabled: false,
            ..form()
        },
    )
    .await
    .unwrap();
    let again = submit(&mut admin, submission(0, &answers)).await.unwrap();
    assert_eq!((again.name.as_str(), again.existed), (first.name.as_str(), true));
    let other = submit(&mut admin, submission(0, &[("company", "别的")])).await;
    assert_refused(other, REUSED, "request");
    let new = SubmitFormRequest {
        request_id: TWO.into(),
        ..submission(1, &answers)
    };
    assert_refused(submit(&mut admin, new).await, WRONG_STATE, "switched off");

    put(&mut admin, form()).await.unwrap();
    let known = |company: &str| SubmitFormRequest {
        external_id: "e-1".into(),
        request_id: String::new(),
        ..submission(1, &[("company", company)])
    };
    let first = submit(&mut admin, known("甲")).await.unwrap();
    let again = submit(&mut admin, known("乙")).await.unwrap();
    assert_eq!((again.name, again.existed), (first.name, true));
}

#[tokio::test]
async fn what_is_wrong_with_a_submission_is_named() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    put(&mut admin, form()).await.unwrap();
    publish(&mut admin, schema(vec![])).await.unwrap();
    let good = || submission(1, &[("company", "x")]);
    let hundred: Vec<String> = (0..100).map(|at| format!("f{at}")).collect();
    let hundred: Vec<_> = hundred.iter().map(|name| (name.as_str(), "x")).collect();
    for (wrong, field) in [
        (submission(9, &[("company", "x")]), "version"),
        (submission(-1, &[("company", "x")]), "version"),
        (submission(1, &hundred), "answers.company"),
        (submission(1, &[&hundred[1..], &[("company", "x")]].concat()), "answers"),
        (submission(1, &[&hundred[..], &[("company", "x")]].concat()), "answers"),
        (
            SubmitFormRequest {
                name: "website".into(),
                ..good()
            },
            "name",
        ),
        (
            SubmitFormRequest {
                locale: "fr".into(),
                ..good()
            },
            "locale",
        ),
        (
            SubmitFormRequest {
                request_id: "x".into(),
                ..good()
            },
            "request_id",
        ),
        (
            SubmitFormRequest {
                request_id: String::new(),
                ..good()
            },
            "request_id",
        ),
        (
            SubmitFormRequest {
                external_id: "x".repeat(201),
                ..good()
            },
            "external_id",
        ),
        (
            SubmitFormRequest {
                external_id: "a\0b".into(),
                ..good()
            },
            "external_id",
        ),
        (
            SubmitFormRequest {
                raw_payload: vec![0; 64 * 1024 + 1],
                ..good()
            },
            "raw_payload",
        ),
    ] {
        assert_refused(submit(&mut admin, wrong).await, INVALID, field);
    }
    let mut other = leads.admin(HUABEI);
    assert_refused(submit(&mut other, good()).await, NOT_FOUND, "forms/website");
    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    assert_refused(submit(&mut viewer, good()).await, DENIED, "leads.capture");
    let mut sales = leads.caller(HUADONG, Role::Sales);
    assert_refused(publish(&mut sales, schema(vec![])).await, DENIED, "forms.write");
}
