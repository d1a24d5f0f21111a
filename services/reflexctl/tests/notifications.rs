//! `reflexctl notifications` as people type it, with the examples of the providers' own pages.
#![cfg(test)]

use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

fn run(arguments: &[&str]) -> Output {
    let mut reflexctl = Command::new(env!("CARGO_BIN_EXE_reflexctl"));
    reflexctl.args(["-o", "json", "notifications"]).args(arguments);
    reflexctl.env_remove("REFLEX_SIGNING_SECRET").output().unwrap()
}

/// Runs with everything in a file.
fn with_file(command: &str, scheme: &str, said: &Value) -> Output {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("said.json");
    std::fs::write(&file, said.to_string()).unwrap();
    run(&[command, "--scheme", scheme, "--json", file.to_str().unwrap()])
}

#[track_caller]
fn answer(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn standard_webhooks_are_signed_and_verified() {
    let mut message = json!({
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "timestamp": 1_614_265_330,
        "body": "{\"test\": 2432232314}",
    });
    let signed = answer(&with_file("sign", "standard-webhooks", &message));
    assert_eq!(signed["signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_eq!(signed["headers"]["webhook-timestamp"], "1614265330");
    message["signature"] = signed["signature"].clone();
    let verified = answer(&with_file("verify", "standard-webhooks", &message));
    assert_eq!(
        verified,
        json!({"scheme": "standard-webhooks", "valid": true, "reason": null})
    );
    message["body"] = "{\"test\": 2432232315}".into();
    let output = with_file("verify", "standard-webhooks", &message);
    assert!(refused(&output).contains("the signature is not of this message"));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["valid"], false);
}

#[test]
fn an_old_message_is_believed_only_without_a_tolerance() {
    let arguments = |tolerance: &[&'static str]| {
        let said = [
            "verify",
            "--scheme",
            "feishu-bot",
            "--secret",
            "demo",
            "--timestamp",
            "1599360473",
        ];
        let signature = ["--signature", "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="];
        [&said[..], &signature, tolerance].concat()
    };
    answer(&run(&arguments(&[])));
    assert!(refused(&run(&arguments(&["--tolerance", "300"]))).contains("seconds from now"));
}

#[test]
fn robots_are_signed_for() {
    let dingtalk = answer(&run(&[
        "sign",
        "--scheme",
        "dingtalk-robot",
        "--secret",
        "this is secret",
        "--timestamp",
        "1577262236757",
    ]));
    assert_eq!(dingtalk["signature"], "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM=");
    assert_eq!(
        dingtalk["query"],
        "timestamp=1577262236757&sign=hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D"
    );
    let feishu = answer(&with_file(
        "sign",
        "feishu-bot",
        &json!({"secret": "demo", "timestamp": "1599360473"}),
    ));
    assert_eq!(
        feishu["body"],
        json!({"timestamp": "1599360473", "sign": "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="})
    );
}

#[test]
fn callbacks_of_wecom_are_opened() {
    let mut envelope = json!({
        "token": "QDG6eK",
        "aes_key": "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        "receive_id": "wx5823bf96d3bd56c7",
        "timestamp": "1409659589",
        "nonce": "263014780",
        "body": "<xml><Encrypt><![CDATA[P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==]]></Encrypt></xml>",
        "signature": "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
    });
    answer(&with_file("verify", "wecom-callback", &envelope));
    let opened = answer(&with_file("decrypt", "wecom-callback", &envelope));
    assert_eq!(
        opened,
        json!({"scheme": "wecom-callback", "text": "1616140317555161061", "receive_id": "wx5823bf96d3bd56c7"})
    );
    envelope["receive_id"] = "wx0".into();
    assert!(refused(&with_file("decrypt", "wecom-callback", &envelope)).contains("another receiver"));
}

#[test]
fn what_is_encrypted_is_decrypted_and_its_signature_verified() {
    for (scheme, mut said) in [
        (
            "dingtalk-callback",
            json!({
                "token": "123456",
                "aes_key": "4g5j64qlyl3zvetqxz5jiocdr586fn2zvjpa8zls3ij",
                "receive_id": "suite4xxxxxxxxxxxxxxx",
                "timestamp": "1445827045067",
                "nonce": "nEXhMP4r",
                "body": {"EventType": "审批"},
            }),
        ),
        (
            "feishu-event",
            json!({"secret": "test key", "timestamp": "1693472500", "nonce": "n", "body": {"EventType": "审批"}}),
        ),
    ] {
        let sealed = answer(&with_file("encrypt", scheme, &said));
        let again = answer(&with_file("encrypt", scheme, &said));
        assert_ne!(sealed["encrypted"], again["encrypted"], "each envelope is another one");
        said["signature"] = sealed["signature"].clone();
        said["body"] = sealed.get("body").unwrap_or(&sealed["encrypted"]).clone();
        answer(&with_file("verify", scheme, &said));
        let opened = answer(&with_file("decrypt", scheme, &said));
        assert_eq!(opened["text"], "{\"EventType\":\"审批\"}", "{scheme}");
    }
}

#[test]
fn the_example_of_feishu_is_decrypted() {
    let opened = answer(&run(&[
        "decrypt",
        "--scheme",
        "feishu-event",
        "--secret",
        "test key",
        "--body",
        "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=",
    ]));
    assert_eq!(opened["text"], "hello world");
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    for (arguments, telling) in [
        (vec!["sign", "--scheme", "feishu-bot"], "--secret is missing"),
        (
            vec!["sign", "--scheme", "wecom-callback", "--token", "t", "--body", "x"],
            "--nonce is missing",
        ),
        (
            vec!["sign", "--scheme", "standard-webhooks", "--secret", "x", "--id", "1"],
            "whsec_",
        ),
        (
            vec![
                "sign",
                "--scheme",
                "dingtalk-robot",
                "--secret",
                "x",
                "--timestamp",
                "soon",
            ],
            "no whole number",
        ),
        (
            vec!["encrypt", "--scheme", "feishu-bot", "--secret", "x", "--body", "y"],
            "encrypts nothing",
        ),
        (
            vec![
                "decrypt",
                "--scheme",
                "wecom-callback",
                "--aes-key",
                "short",
                "--body",
                "y",
            ],
            "43 characters",
        ),
        (
            vec!["verify", "--scheme", "feishu-bot", "--secret", "x"],
            "--signature is missing",
        ),
    ] {
        let said = refused(&run(&arguments));
        assert!(said.contains(telling), "{arguments:?}: {said}");
    }
}

/// Previews with these facts and, if there is one, this template.
fn preview(template: Option<&str>, facts: &Value, arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let (facts_file, template_file) = (folder.path().join("facts.json"), folder.path().join("template.md"));
    std::fs::write(&facts_file, facts.to_string()).unwrap();
    let mut all = vec![
        "template",
        "preview",
        "--key",
        "lead_assigned",
        "--facts",
        facts_file.to_str().unwrap(),
    ];
    if let Some(template) = template {
        std::fs::write(&template_file, template).unwrap();
        all.extend(["--template", template_file.to_str().unwrap()]);
    }
    all.extend(arguments);
    run(&all)
}

#[test]
fn a_template_is_previewed_for_a_channel_without_a_server() {
    let facts = json!({"number": "L000123", "company": "<b>华东</b> 机床", "contact_name": "王芳 13912345678"});
    let template = "# 来单 {{number}}\n\n### {{company}}\n- 联系人：**{{contact_name}}**\n- 来源：{{source}}\n";
    let shown = answer(&preview(Some(template), &facts, &["--channel", "email"]));
    assert_eq!(
        shown["renderings"],
        json!([{"format": "html", "title": "来单 L000123",
            "text": "<h3>＜b＞华东＜/b＞ 机床</h3>\n<ul>\n<li>联系人：<strong>王芳 139•••</strong></li>\n<li>来源：—</li>\n</ul>\n"}])
    );
    let all = answer(&preview(Some(template), &facts, &[]));
    let formats: Vec<_> = all["renderings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|shown| shown["format"].clone())
        .collect();
    assert_eq!(
        formats,
        ["markdown", "wecom_markdown", "feishu_markdown", "html", "plain"]
    );
    let shipped = answer(&preview(None, &facts, &["--locale", "en", "--channel", "sms"]));
    assert_eq!(shipped["renderings"][0]["title"], "New lead L000123: <b>华东</b> 机床");
}

#[test]
fn what_keeps_a_template_from_being_published_is_told_in_the_language_asked_for() {
    let facts = json!({"number": "L000123"});
    let output = preview(Some("# 新线索\n{{number}}"), &facts, &[]);
    assert!(refused(&output).contains("这类消息必须写明客户，请在标题或正文中加入 {{company}}"));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["problems"][0]["code"], "missing_variable");
    assert_eq!(said["renderings"], json!([]));
    let output = preview(Some("# 新线索\n{{number}}"), &facts, &["--lang", "en"]);
    assert!(refused(&output).contains("these messages must say the customer"));
    assert!(refused(&preview(Some("新线索"), &facts, &[])).contains("the first line has to be the title"));
    assert!(refused(&preview(None, &json!({"phone": "1"}), &[])).contains("lead_assigned has no \"phone\""));
    assert!(refused(&preview(None, &json!({"number": [1]}), &[])).contains("\"number\" is no text"));
}
