//! Posts of forms.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use reflex_proto::leads::v1::{
    CaptureLeadRequest, CaptureLeadResponse, Form, GetFormRequest, GetFormResponse, lead::Urgency,
};
use reflex_rpc::status::{self, FieldViolation};
use serde_json::json;
use tonic::Status;

use crate::gateway::{CAPTURE, GET_FORM, Gateway, KEY, ORIGIN, captured, form};

const ROUTE: &str = "/v1/forms/contact";
const JSON: (&str, &str) = ("content-type", "application/json");
const URLENCODED: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const WITH_KEY: (&str, &str) = ("x-write-key", KEY);

#[tokio::test]
async fn a_post_becomes_a_lead() {
    let gateway = Gateway::start().await;
    gateway.has_form(form());
    let (captures, last) = gateway.takes_leads();
    let body = r#"{"公司": "江苏恒瑞", "name": "王伟", "mobile": "13800138000", "city": "徐州", "urgency": "红",
        "budget_min": "1,000.50", "remark": "请\r\n回电", "科室": "骨科"}"#;
    let answer = gateway.client.post(ROUTE, &[JSON, WITH_KEY], body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let expected = captured();
    assert_eq!(
        answer.json(),
        json!({"number": expected.number, "name": expected.name, "existed": false})
    );

    let CaptureLeadRequest { lead, request_id } = last.lock().take().unwrap();
    let lead = lead.unwrap();
    assert_eq!(request_id.len(), 36, "an id of the gateway's own");
    assert_eq!((lead.source.as_str(), lead.form.as_str()), ("website", "forms/contact"));
    assert_eq!(
        (lead.company.as_str(), lead.contact_name.as_str()),
        ("江苏恒瑞", "王伟")
    );
    assert_eq!((lead.phone.as_str(), lead.territory.as_str()), ("13800138000", "徐州"));
    assert_eq!((lead.urgency(), lead.budget_min_fen), (Urgency::Red, 100_050));
    assert_eq!((lead.remark.as_str(), lead.product.as_str()), ("请\n回电", "骨科耗材"));
    assert_eq!(lead.attributes["科室"], "骨科");
    assert_eq!(lead.raw_payload, body.as_bytes(), "untouched");
    assert_eq!(captures.count(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn how_a_post_came_goes_with_the_lead() {
    let gateway = Gateway::start().await;
    gateway.has_form(form());
    let (_, last) = gateway.takes_leads();
    let firefox = ("user-agent", "Mozilla/5.0 Firefox/140.0");
    let body = r#"{"company": "恒瑞", "elapsed_ms": 1500, "honeypot": "http://spam", "fingerprint": "f1"}"#;
    let answer = gateway.client.post(ROUTE, &[JSON, WITH_KEY, firefox], body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let mut attributes: Vec<_> = last
        .lock()
        .take()
        .unwrap()
        .lead
        .unwrap()
        .attributes
        .into_iter()
        .collect();
    attributes.sort_unstable();
    let expected = [
        ("elapsed_seconds", "1.500"),
        ("fingerprint", "f1"),
        ("honeypot", "http://spam"),
        ("user_agent", firefox.1),
    ];
    assert_eq!(
        attributes,
        expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
    );
    gateway.stop().await;
}

#[tokio::test]
async fn plain_forms_and_beacons_need_no_headers() {
    let gateway = Gateway::start().await;
    gateway.has_form(form());
    let (_, last) = gateway.takes_leads();
    let with_key = format!("{ROUTE}?k={KEY}");
    let body = "company=%E6%81%92%E7%91%9E&need=a&need=b&message=line+1%0D%0Aline+2&external_id=e1";
    let answer = gateway
        .client
        .post(&with_key, &[URLENCODED, ("origin", ORIGIN)], body)
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let lead = last.lock().take().unwrap().lead.unwrap();
    assert_eq!((lead.company.as_str(), lead.external_id.as_str()), ("恒瑞", "e1"));
    assert_eq!(
        (lead.remark.as_str(), lead.attributes["need"].as_str()),
        ("line 1\nline 2", "a, b")
    );

    let beacon = ("content-type", "text/plain;charset=UTF-8");
    let answer = gateway
        .client
        .post(&with_key, &[beacon, ("origin", ORIGIN)], r#"{"email": "a@b.cn"}"#)
        .await;
    assert_eq!(answer.status, 202);
    assert_eq!(last.lock().take().unwrap().lead.unwrap().email, "a@b.cn");
    let multipart = ("content-type", "multipart/form-data; boundary=x");
    let answer = gateway.client.post(&with_key, &[multipart], "--x--").await;
    answer.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    gateway.stop().await;
}

#[tokio::test]
async fn wrong_key_form_and_tenant_look_the_same() {
    let gateway = Gateway::start().await;
    let asked = gateway.has_form(form());
    let (captures, _) = gateway.takes_leads();
    let mut answers = Vec::new();
    for (path, key) in [
        (ROUTE, Some("wk_huadong_wrong")),
        (ROUTE, Some("wk_huadong_")),
        (ROUTE, Some("wk_huabei_5Xr0pD2q")),
        (ROUTE, Some("wk_nobody_5Xr0pD2q")),
        (ROUTE, Some("rubbish")),
        (ROUTE, None),
        ("/v1/forms/other", Some(KEY)),
        ("/v1/forms/Contact", Some(KEY)),
        ("/v1/forms/%2e%2e", Some(KEY)),
        ("/v1/forms/%ff", Some(KEY)),
    ] {
        let key = key.map(|key| ("x-write-key", key));
        let headers: Vec<_> = [JSON, ("origin", "https://evil.cn")].into_iter().chain(key).collect();
        let answer = gateway.client.post(path, &headers, r#"{"company": "x"}"#).await;
        assert!(answer.header("access-control-allow-origin").is_none());
        answer.problem(StatusCode::NOT_FOUND);
        let names: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
        answers.push((answer.text, names));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(captures.count(), 0);
    let before = asked.count();
    for _ in 0..20 {
        gateway
            .client
            .post(ROUTE, &[("x-write-key", "wk_nobody_x")], "{}")
            .await
            .problem(StatusCode::NOT_FOUND);
    }
    assert_eq!(asked.count(), before, "an absent form is remembered");
    gateway.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let gateway = Gateway::start().await;
    gateway.has_form(form());
    gateway.takes_leads();
    let body = r#"{"company": "x"}"#;
    for (origin, status) in [
        (Some(ORIGIN), 202),
        (Some("https://WWW.EXAMPLE.CN"), 202),
        (None, 202),
        (Some("http://www.example.cn"), 403),
        (Some("https://www.example.cn.evil.cn"), 403),
        (Some("https://www.example.cn:8443"), 403),
        (Some("null"), 403),
    ] {
        let origin = origin.map(|origin| ("origin", origin));
        let headers: Vec<_> = [JSON, WITH_KEY].into_iter().chain(origin).collect();
        let answer = gateway.client.post(ROUTE, &headers, body).await;
        assert_eq!(answer.status, status, "{origin:?}");
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, origin.map(|(_, origin)| origin).filter(|_| status == 202));
        assert!(
            answer.header("access-control-allow-credentials").is_none(),
            "cookies play no part"
        );
    }
    let bad = [JSON, WITH_KEY, ("origin", ORIGIN)];
    let answer = gateway.client.post(ROUTE, &bad, r#"{"urgency": "blau"}"#).await;
    assert_eq!(answer.violated(), ["urgency"]);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some(ORIGIN),
        "the page can show what is wrong"
    );
    assert_eq!(answer.header("vary"), Some("origin"));
    gateway.stop().await;
}

#[tokio::test]
async fn preflights_are_answered_by_what_they_tell() {
    let gateway = Gateway::start().await;
    gateway.has_form(form());
    let asking = |origin: &'static str| {
        [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,x-write-key"),
        ]
    };
    let with_key = format!("{ROUTE}?k={KEY}");
    let with_wrong_key = format!("{ROUTE}?k=wk_huadong_wrong");
    for (path, origin, status) in [
        (ROUTE, ORIGIN, 204),
        // The key travels with the post only: that is where this origin is refused.
        (ROUTE, "https://evil.cn", 204),
        (with_key.as_str(), ORIGIN, 204),
        (&with_key, "https://evil.cn", 403),
        (&with_wrong_key, ORIGIN, 404),
    ] {
        let answer = gateway.client.send(Method::OPTIONS, path, &asking(origin), "").await;
        assert_eq!(answer.status, status, "{path} {origin}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            (status == 204).then_some(origin)
        );
        if status == 204 {
            assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
            assert!(
                answer
                    .header("access-control-allow-headers")
                    .unwrap()
                    .contains("x-write-key")
            );
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_post_is_named() {
    let gateway = Gateway::start().await;
    gateway.has_form(form());
    gateway.leads.on(
        CAPTURE,
        |_, _, request: CaptureLeadRequest| -> Result<CaptureLeadResponse, Status> {
            let lead = request.lead.unwrap();
            let mut violations = Vec::new();
            if lead.company.chars().count() > 300 {
                violations.push(FieldViolation::new("lead.company", "must have at most 300 characters"));
            }
            if lead.attributes.len() > 50 {
                violations.push(FieldViolation::new("lead.attributes", "must have at most 50 entries"));
            }
            if violations.is_empty() {
                Ok(captured())
            } else {
                Err(status::invalid(violations))
            }
        },
    );
    let post = async |headers: &[(&str, &str)], body: Vec<u8>| {
        let headers: Vec<_> = headers.iter().copied().chain([WITH_KEY]).collect();
        gateway.client.post(ROUTE, &headers, body).await
    };
    let megabyte = format!(r#"{{"name": "{}"}}"#, "名".repeat(350_000));
    let problem = post(&[JSON], megabyte.into())
        .await
        .problem(StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(problem["detail"], "the body has more than 65536 bytes");

    let fields = |count: usize| {
        json!(
            (0..count)
                .map(|at| (format!("f{at}"), at))
                .collect::<std::collections::BTreeMap<_, _>>()
        )
    };
    assert_eq!(post(&[JSON], fields(50).to_string().into()).await.status, 202);
    assert_eq!(
        post(&[JSON], fields(100).to_string().into()).await.violated(),
        ["attributes"]
    );
    let urlencoded: Vec<_> = (0..=100).map(|at| format!("f{at}=x")).collect();
    assert_eq!(
        post(&[URLENCODED], urlencoded.join("&").into()).await.violated(),
        ["f100"]
    );

    let long = json!({"公司": "司".repeat(301)}).to_string();
    assert_eq!(
        post(&[JSON], long.into()).await.violated(),
        ["公司"],
        "under the page's own name"
    );
    assert_eq!(
        post(&[URLENCODED], b"a=1&company=%B9%AB%CB%BE".to_vec())
            .await
            .violated(),
        ["company"]
    );
    assert_eq!(
        post(&[URLENCODED], b"company=\xb9\xab".to_vec()).await.violated(),
        ["company"]
    );
    assert_eq!(
        post(&[JSON], b"{\"company\": \"\xb9\xab\"}".to_vec()).await.violated(),
        [""]
    );
    for (body, field) in [
        (r#"{"budget_min": "5万"}"#, "budget_min"),
        (r#"{"budget_max": -1}"#, "budget_max"),
        (r#"{"urgency": "sofort"}"#, "urgency"),
        (r#"{"company": {"name": "x"}}"#, "company"),
        ("[]", ""),
        ("", ""),
        ("{", ""),
    ] {
        assert_eq!(post(&[JSON], body.into()).await.violated(), [field], "{body}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_form_takes_so_many_posts_a_minute() {
    let gateway = Gateway::start().await;
    gateway.has_form(Form {
        posts_per_minute: 6,
        ..form()
    });
    let (captures, _) = gateway.takes_leads();
    let post = async || {
        gateway
            .client
            .post(ROUTE, &[JSON, WITH_KEY, ("origin", ORIGIN)], r#"{"company": "x"}"#)
            .await
    };
    for _ in 0..6 {
        assert_eq!(post().await.status, 202);
    }
    let answer = post().await;
    let problem = answer.problem(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        (&problem["reason"], &problem["retry_after_ms"]),
        (&json!("OVERLOADED"), &json!(10_000))
    );
    assert_eq!(answer.header("retry-after"), Some("10"));
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    gateway.clock.advance(SignedDuration::from_secs(10));
    assert_eq!(post().await.status, 202);
    assert_eq!(post().await.status, 429);
    assert_eq!(captures.count(), 7);
    gateway.stop().await;
}

#[tokio::test]
async fn a_changed_form_counts_within_half_a_minute() {
    let gateway = Gateway::start().await;
    let asked = gateway.has_form(form());
    gateway.takes_leads();
    let post = async || {
        gateway
            .client
            .post(ROUTE, &[JSON, WITH_KEY], r#"{"company": "x"}"#)
            .await
    };
    let posts = futures_util::future::join_all((0..20).map(|_| post())).await;
    assert!(posts.iter().all(|answer| answer.status == 202));
    assert_eq!(asked.count(), 1, "twenty posts at once, one question");

    gateway.has_form(Form {
        enabled: false,
        ..form()
    });
    assert_eq!(post().await.status, 202);
    gateway.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(post().await.problem(StatusCode::FORBIDDEN)["reason"], "WRONG_STATE");
    gateway.has_form(Form {
        write_key: "wk_huadong_new".to_owned(),
        ..form()
    });
    gateway.clock.advance(SignedDuration::from_secs(30));
    post().await.problem(StatusCode::NOT_FOUND);
    gateway.stop().await;
}

#[tokio::test]
async fn a_lost_capture_is_repeated_under_the_same_id() {
    let gateway = Gateway::start().await;
    gateway.has_form(form());
    let ids = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
    let kept = std::sync::Arc::clone(&ids);
    let captures = gateway
        .leads
        .on(CAPTURE, move |before, _, request: CaptureLeadRequest| {
            kept.lock().push(request.request_id);
            if before < 2 {
                Err(Status::unavailable("restarting"))
            } else {
                Ok(captured())
            }
        });
    let answer = gateway
        .client
        .post(ROUTE, &[JSON, WITH_KEY], r#"{"company": "x"}"#)
        .await;
    assert_eq!((answer.status, captures.count()), (202, 3));
    ids.lock().dedup();
    assert_eq!(ids.lock().len(), 1);

    let own = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
    let body = json!({"company": "x", "request_id": own}).to_string();
    assert_eq!(gateway.client.post(ROUTE, &[JSON, WITH_KEY], body).await.status, 202);
    assert_eq!(ids.lock().last().unwrap(), own);
    gateway.stop().await;
}

#[tokio::test]
async fn troubles_of_ours_are_not_the_pages_fault() {
    let gateway = Gateway::start().await;
    gateway
        .leads
        .on(GET_FORM, |before, _, _: GetFormRequest| -> Result<GetFormResponse, _> {
            Err(match before {
                0 => status::unauthenticated("the token's signature is not valid"),
                1 => status::denied("forms.read"),
                _ => status::unavailable(std::time::Duration::from_secs(2)),
            })
        });
    for _ in 0..3 {
        let answer = gateway
            .client
            .post(ROUTE, &[JSON, WITH_KEY], r#"{"company": "x"}"#)
            .await;
        answer.problem(StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.header("retry-after").is_some() && !answer.text.contains("token"));
    }
    gateway.has_form(form());
    gateway.leads.on(
        CAPTURE,
        |_, _, _: CaptureLeadRequest| -> Result<CaptureLeadResponse, _> {
            Err(status::overloaded(std::time::Duration::from_secs(3)))
        },
    );
    let answer = gateway
        .client
        .post(ROUTE, &[JSON, WITH_KEY], r#"{"company": "x"}"#)
        .await;
    answer.problem(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        answer.header("retry-after"),
        Some("3"),
        "a failed question is not remembered"
    );
    gateway.stop().await;
}
