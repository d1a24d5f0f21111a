//! `reflexctl routing` against a routing service.
#![cfg(test)]

mod server;

use std::path::Path;
use std::process::Output;

use server::{Server, TABLE};
use tempfile::TempDir;

const POLICY: &str = "
tenant: huadong
---
kind: RoutingPolicy
entries:
  - team: teams/zhang
    when: 有电话
";

async fn reflexctl(server: &Server, folder: &Path, arguments: &[&str]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_reflexctl"))
        .args(arguments)
        .current_dir(folder)
        .env("REFLEX_SERVER", &server.url)
        .env("REFLEX_TOKEN", "token")
        .env("REFLEX_DATA_DIR", "/nonexistent")
        .env_remove("REFLEX_TENANT")
        .output()
        .await
        .unwrap()
}

/// Runs a command that must succeed and returns what it printed.
async fn printed(server: &Server, folder: &Path, arguments: &[&str]) -> String {
    let output = reflexctl(server, folder, arguments).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_table_goes_out_and_comes_back_byte_by_byte() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    let folder = folder.path();
    let said = printed(&server, folder, &["routing", "table", "export", "matrix.csv"]).await;
    assert_eq!(said, "版本 1 已写入 matrix.csv\n");
    assert_eq!(std::fs::read_to_string(folder.join("matrix.csv")).unwrap(), TABLE);
    assert_eq!(printed(&server, folder, &["routing", "table", "export"]).await, TABLE);

    let import = ["routing", "table", "import", "matrix.csv"];
    assert_eq!(printed(&server, folder, &import).await, "已存为版本 2\n");
    let more = ["--activate", "--note", "换组", "--base", "3", "--lang", "en"];
    let activate = [&import[..], &more].concat();
    assert_eq!(printed(&server, folder, &activate).await, "version 2 is active\n");
    let imports = server.imports();
    assert!(
        imports
            .iter()
            .all(|import| import.csv == TABLE.as_bytes() && !import.request_id.is_empty())
    );
    assert_eq!((imports[0].draft, imports[0].base_version), (true, 0));
    let last = &imports[1];
    assert_eq!((last.draft, last.base_version, last.note.as_str()), (false, 3, "换组"));
}

#[tokio::test]
async fn a_refusal_names_the_reasons_in_the_language_asked_for() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    let folder = folder.path();
    std::fs::write(folder.join("wrong.csv"), "地域,产品,条件,团队,技能\n").unwrap();
    for (arguments, row, error) in [
        (
            &["routing", "table", "import", "wrong.csv", "--activate"][..],
            "不可启用  unknown_team  第 1 条（任何地域 × 任何产品）：团队 teams/no 不存在\n",
            "error: 有 1 处问题，不能启用\n",
        ),
        (
            &["routing", "activate", "4", "--lang", "en"],
            "refused  unknown_team  entry 1 (any territory × any product): team teams/no does not exist\n",
            "error: it cannot become active for 1 reason\n",
        ),
        (
            &["routing", "check", "wrong.csv"],
            "不可启用  unknown_team  第 1 条",
            "error: 有 1 处问题，不能启用\n",
        ),
        (
            &["routing", "check", "--version", "4", "-o", "json"],
            "\"code\": \"CODE_UNKNOWN_TEAM\"",
            "error: 有 1 处问题，不能启用\n",
        ),
    ] {
        let output = reflexctl(&server, folder, arguments).await;
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(shown.contains(row), "{arguments:?}: {shown}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), error);
    }
    assert!(server.imports().is_empty());
    let said = printed(&server, folder, &["routing", "activate", "3", "--lang", "en"]).await;
    assert_eq!(said, "version 3 is active, version 1 was before\n");
    assert_eq!(
        printed(&server, folder, &["routing", "check", "--version", "3"]).await,
        "没有发现问题\n"
    );
}

#[tokio::test]
async fn a_bundle_has_one_policy_for_the_tenant_it_names() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    let folder = folder.path();
    std::fs::write(folder.join("policy.yaml"), POLICY).unwrap();
    assert_eq!(
        printed(&server, folder, &["routing", "put", "policy.yaml"]).await,
        "已存为版本 2\n"
    );
    let (tenant, put) = server.puts().remove(0);
    let policy = put.policy.unwrap();
    assert_eq!(
        (tenant.as_str(), put.draft, policy.entries[0].when.as_str()),
        ("huadong", true, "有电话")
    );

    let other = reflexctl(
        &server,
        folder,
        &["routing", "put", "policy.yaml", "--tenant", "huabei"],
    )
    .await;
    let error = String::from_utf8(other.stderr).unwrap();
    assert_eq!(
        error,
        "error: the file is for tenant huadong, and --tenant says huabei\n"
    );
    std::fs::write(folder.join("two.yaml"), format!("{POLICY}---\nkind: RoutingPolicy\n")).unwrap();
    std::fs::write(folder.join("none.yaml"), "kind: Team\nname: teams/a\n").unwrap();
    for (file, problem) in [
        ("two.yaml", "more than one RoutingPolicy"),
        ("none.yaml", "no document of kind RoutingPolicy"),
    ] {
        let refused = reflexctl(&server, folder, &["routing", "check", file]).await;
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(1) && error.contains(problem), "{error}");
    }
    assert_eq!(server.puts().len(), 1);
}

#[tokio::test]
async fn two_versions_are_compared() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    let said = printed(&server, folder.path(), &["routing", "diff", "1", "2", "--lang", "en"]).await;
    assert!(
        said.contains("~ changed  1  any        any      ") && said.contains("teams/t1 → teams/t2"),
        "{said}"
    );
    let json = printed(&server, folder.path(), &["routing", "diff", "1", "2", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["entries"][0]["after"]["team"], "teams/t2");
}
