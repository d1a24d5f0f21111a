//! Forms and their write keys.

use reflex_proto::leads::v1::{Form, GetFormRequest, ListFormsRequest, PutFormRequest};
use reflex_rpc::identity::Role;

use crate::harness::{DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, assert_refused};

fn form(id: &str) -> Form {
    Form {
        name: format!("forms/{id}"),
        title: "官网咨询".into(),
        source: "website".into(),
        allowed_origins: vec!["https://www.example.cn".into()],
        enabled: true,
        ..Form::default()
    }
}

fn put(form: Form) -> PutFormRequest {
    PutFormRequest {
        form: Some(form),
        request_id: String::new(),
    }
}

#[tokio::test]
async fn a_form_gets_a_key_and_keeps_it() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let first = admin
        .forms
        .put_form(put(form("website")))
        .await
        .unwrap()
        .into_inner()
        .form
        .unwrap();
    let secret = first
        .write_key
        .strip_prefix("wk_huadong_")
        .expect("the key names the tenant");
    assert_eq!((secret.len(), first.posts_per_minute), (28, 600));
    let other = admin
        .forms
        .put_form(put(form("other")))
        .await
        .unwrap()
        .into_inner()
        .form
        .unwrap();
    assert_ne!(other.write_key, first.write_key);

    let renamed = Form {
        title: "新标题".into(),
        ..form("website")
    };
    let kept = admin
        .forms
        .put_form(put(renamed))
        .await
        .unwrap()
        .into_inner()
        .form
        .unwrap();
    assert_eq!(
        kept,
        Form {
            title: "新标题".into(),
            ..first.clone()
        }
    );
    let version = leads.version(HUADONG).await;
    admin
        .forms
        .put_form(put(kept.clone()))
        .await
        .expect("a form can be sent as it was shown");
    assert_eq!(leads.version(HUADONG).await, version, "nothing changed");

    let own = Form {
        write_key: "wk_huadong_demo2026demo2026".into(),
        ..form("website")
    };
    let own = admin.forms.put_form(put(own)).await.unwrap().into_inner().form.unwrap();
    assert_eq!(own.write_key, "wk_huadong_demo2026demo2026");
    let taken = Form {
        write_key: own.write_key.clone(),
        ..form("other")
    };
    assert_refused(admin.forms.put_form(put(taken)).await, INVALID, "form.write_key");
    let foreign = Form {
        write_key: "wk_huabei_demo2026demo2026".into(),
        ..form("website")
    };
    assert_refused(admin.forms.put_form(put(foreign)).await, INVALID, "form.write_key");

    let request = GetFormRequest {
        name: "forms/website".into(),
    };
    let mut gateway = leads.caller(HUADONG, Role::Integration);
    assert_eq!(
        gateway.forms.get_form(request.clone()).await.unwrap().into_inner().form,
        Some(own)
    );
    assert_refused(
        gateway.forms.put_form(put(form("website"))).await,
        DENIED,
        "forms.write",
    );
    assert_refused(
        leads.admin(HUABEI).forms.get_form(request).await,
        NOT_FOUND,
        "forms/website",
    );
}

#[tokio::test]
async fn forms_are_checked_and_listed() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    for (wrong, field) in [
        (
            Form {
                name: "forms/a_b".into(),
                ..form("x")
            },
            "form.name",
        ),
        (
            Form {
                source: String::new(),
                ..form("x")
            },
            "form.source",
        ),
        (
            Form {
                posts_per_minute: 100_001,
                ..form("x")
            },
            "form.posts_per_minute",
        ),
        (
            Form {
                allowed_origins: vec!["example.cn".into()],
                ..form("x")
            },
            "form.allowed_origins",
        ),
    ] {
        assert_refused(admin.forms.put_form(put(wrong)).await, INVALID, field);
    }
    for id in ["c", "a", "b"] {
        admin.forms.put_form(put(form(id))).await.unwrap();
    }
    let request = ListFormsRequest {
        page_size: 2,
        page_token: String::new(),
    };
    let page = admin.forms.list_forms(request).await.unwrap().into_inner();
    assert_eq!(
        page.forms.iter().map(|form| form.name.as_str()).collect::<Vec<_>>(),
        ["forms/a", "forms/b"]
    );
    let request = ListFormsRequest {
        page_size: 2,
        page_token: page.next_page_token,
    };
    let rest = admin.forms.list_forms(request.clone()).await.unwrap().into_inner();
    assert_eq!((rest.forms.len(), rest.next_page_token.as_str()), (1, ""));
    assert_refused(
        leads.admin(HUABEI).forms.list_forms(request).await,
        OTHER_PAGE,
        "page_token",
    );
}
