//! Bundles against a server that keeps what it is sent.
#![cfg(test)]

mod server;

use std::path::Path;
use std::process::{Command, Output};

use reflex_runtime::ids::SystemIds;
use reflexctl::apply::{Change, PlanOptions, Report, plan};
use reflexctl::bundle::{Bundle, Variables};
use server::Server;

const BUNDLE: &str = r#"
tenant: huadong
---
kind: Channel
name: channels/group
channel_kind: KIND_DINGTALK_ROBOT
endpoint: "${URL}/robot/send?access_token=abcdefgh"
secret: SEC1
teams: [teams/ortho]
enabled: true
---
kind: RoutingPolicy
entries:
  - {territory: territories/jiangsu, product: products/ortho, team: teams/ortho}
default_team: teams/ortho
---
kind: Member
name: members/li.na
display_name: 李娜
team: teams/ortho
role: ROLE_SALES
supervisor: members/zhang.wei
deputy: members/wang.qiang
capacity: 20
active: true
---
kind: Member
name: members/wang.qiang
display_name: 王强
team: teams/ortho
role: ROLE_SALES
deputy: members/li.na
capacity: 20
active: true
---
kind: Member
name: members/zhang.wei
display_name: 张伟
team: teams/ortho
role: ROLE_SUPERVISOR
active: true
---
kind: Team
name: teams/ortho
display_name: 骨科一组
supervisor: members/zhang.wei
---
kind: Territory
name: territories/suzhou
display_name: 苏州市
parent: territories/jiangsu
---
kind: Territory
name: territories/jiangsu
display_name: 江苏省
---
kind: Product
name: products/ortho
display_name: 骨科耗材
---
kind: Calendar
name: calendars/default
spec: {time_zone: Asia/Shanghai, windows: [["09:00", "18:00"]], statutory: CN}
---
kind: Leave
member: members/li.na
start_time: 2026-08-03T00:00:00+08:00
end_time: 2026-08-08T00:00:00+08:00
"#;

fn bundle(text: &str) -> Bundle {
    let variables = Variables::from([("URL".to_owned(), "http://127.0.0.1:18080".to_owned())]);
    Bundle::parse("huadong.yaml", text, None, &variables).unwrap()
}

async fn apply(server: &Server, text: &str) -> Report {
    let connection = server.connection();
    let plan = plan(&connection, &bundle(text), PlanOptions::default()).await.unwrap();
    plan.run(&connection, &SystemIds, |_| {}).await.unwrap()
}

#[tokio::test]
async fn applying_twice_changes_nothing_the_second_time() {
    let server = Server::start().await;
    let first = apply(&server, BUNDLE).await;
    assert_eq!((first.created, first.updated, first.unchanged), (11, 0, 0));
    let calls = server.writes();
    let position = |call: &str| calls.iter().position(|made| made == call).expect(call);
    assert!(position("PutTerritory territories/jiangsu") < position("PutTerritory territories/suzhou"));
    assert!(position("PutMember members/wang.qiang") < position("PutRoutingPolicy "));
    assert_eq!(
        calls.iter().filter(|call| *call == "PutTeam teams/ortho").count(),
        2,
        "{calls:#?}"
    );

    let second = plan(&server.connection(), &bundle(BUNDLE), PlanOptions::default())
        .await
        .unwrap();
    assert!(second.is_empty(), "{second}");
    let report = second.run(&server.connection(), &SystemIds, |_| {}).await.unwrap();
    assert_eq!(report.unchanged, 11);
    assert_eq!(server.writes().len(), calls.len(), "nothing is sent the second time");
}

#[tokio::test]
async fn a_change_and_its_undoing_both_arrive() {
    let server = Server::start().await;
    apply(&server, BUNDLE).await;
    let changed = BUNDLE
        .replacen("capacity: 20", "capacity: 30", 1)
        .replace("骨科一组", "骨科一部");
    for (text, capacity) in [(changed.as_str(), 30), (BUNDLE, 20), (changed.as_str(), 30)] {
        let report = apply(&server, text).await;
        assert_eq!((report.created, report.updated, report.unchanged), (0, 2, 9));
        assert_eq!(server.stored("members/li.na", "capacity").as_i32(), Some(capacity));
    }
    let ids = server.request_ids();
    assert_eq!(
        ids.iter().collect::<std::collections::BTreeSet<_>>().len(),
        ids.len(),
        "each call has its own id"
    );
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_id() {
    let server = Server::start().await;
    server.lose_next_answer();
    let report = apply(&server, BUNDLE).await;
    assert_eq!(report.created, 11);
    let ids = server.request_ids();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
}

#[tokio::test]
async fn what_nobody_knows_is_refused_before_anything_is_sent() {
    let server = Server::start().await;
    let wrong = BUNDLE.replace("default_team: teams/ortho", "default_team: teams/orto");
    let error = plan(&server.connection(), &bundle(&wrong), PlanOptions::default())
        .await
        .unwrap_err();
    let expected =
        "huadong.yaml:12: default_team names \"teams/orto\", which is neither in the bundle nor on the server";
    assert_eq!(error.to_string(), expected);
    assert_eq!(server.writes(), [""; 0]);
}

#[tokio::test]
async fn a_refusal_names_the_line() {
    let server = Server::start().await;
    server.refuse("members/li.na");
    let connection = server.connection();
    let plan = plan(&connection, &bundle(BUNDLE), PlanOptions::default())
        .await
        .unwrap();
    let error = plan.run(&connection, &SystemIds, |_| {}).await.unwrap_err().to_string();
    assert!(
        error.starts_with("huadong.yaml:17: members/li.na was refused after 7 calls: "),
        "{error}"
    );
    assert!(
        error.ends_with("member.capacity: at most 100000 (REASON_INVALID_FIELD)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_leave_is_known_by_who_and_when() {
    let server = Server::start().await;
    apply(&server, BUNDLE).await;
    let reason = BUNDLE.replace(
        "end_time: 2026-08-08T00:00:00+08:00",
        "end_time: 2026-08-08T00:00:00+08:00\nreason: 年假",
    );
    let report = apply(&server, &reason).await;
    assert_eq!((report.created, report.updated), (0, 1));
    assert_eq!(server.stored("leaves/1", "reason").as_str(), Some("年假"));
    let later = reason.replace("2026-08-08T", "2026-08-09T");
    assert_eq!(apply(&server, &later).await.created, 1);
}

#[tokio::test]
async fn secrets_are_sent_when_asked_for() {
    let server = Server::start().await;
    apply(&server, BUNDLE).await;
    let options = PlanOptions { send_secrets: true };
    let plan = plan(&server.connection(), &bundle(BUNDLE), options).await.unwrap();
    let sent: Vec<String> = plan
        .items
        .iter()
        .filter(|item| item.change == Change::Send)
        .map(|item| item.resource.label())
        .collect();
    assert_eq!(sent, ["channels/group"]);
}

/// Runs the program against the server.
async fn reflexctl(server: &Server, file: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reflexctl"));
    command
        .args([
            "apply",
            "-f",
            file.to_str().unwrap(),
            "--set",
            "URL=http://127.0.0.1:18080",
        ])
        .args(more);
    command
        .env("REFLEX_SERVER", &server.url)
        .env("REFLEX_NOTIFICATIONS", &server.url);
    command
        .env("REFLEX_DATA_DIR", "/nonexistent")
        .env("REFLEX_TOKEN", "token")
        .env_remove("REFLEX_TENANT");
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_shows_asks_and_applies() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("huadong.yaml");
    std::fs::write(&file, BUNDLE).unwrap();
    let text = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();

    let dry = reflexctl(&server, folder.path(), &["--dry-run"]).await;
    let shown = text(&dry);
    assert!(
        shown.contains("huadong:\n  + Channel       channels/group\n"),
        "{shown}"
    );
    assert!(
        shown.ends_with("11 to create, 0 to change, 0 to send, 0 unchanged\ndry run: nothing was changed\n"),
        "{shown}"
    );

    let unasked = reflexctl(&server, &file, &[]).await;
    assert_eq!(unasked.status.code(), Some(1));
    assert!(String::from_utf8(unasked.stderr).unwrap().contains("give --yes"));
    assert_eq!(server.writes(), [""; 0]);

    let applied = reflexctl(&server, &file, &["--yes"]).await;
    assert!(
        text(&applied).ends_with("huadong: 11 created, 0 changed, 0 sent, 0 unchanged\n"),
        "{}",
        text(&applied)
    );
    let again = reflexctl(&server, &file, &["--yes"]).await;
    assert!(text(&again).ends_with("\nnothing to do\n"), "{}", text(&again));

    std::fs::write(&file, BUNDLE.replacen("capacity: 20", "capacity: 25", 1)).unwrap();
    let json = reflexctl(&server, &file, &["--yes", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let change = &json["tenants"][0]["changes"][0];
    assert_eq!(
        (&change["action"], &change["name"]),
        (&"update".into(), &"members/li.na".into())
    );
    assert_eq!(
        change["fields"][0],
        serde_json::json!({"path": "capacity", "before": 20, "after": 25})
    );
    assert_eq!(json["tenants"][0]["applied"], true);

    let other = reflexctl(&server, &file, &["--tenant", "huabei", "--yes"]).await;
    assert_eq!(other.status.code(), Some(1));
    assert!(
        String::from_utf8(other.stderr)
            .unwrap()
            .contains("--tenant says huabei, but a bundle is for huadong")
    );
}
