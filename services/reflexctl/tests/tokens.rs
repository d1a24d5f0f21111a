//! Keys and tokens made offline are those the services accept.
#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use reflex_rpc::auth::{Tenants, Verifier};
use reflex_rpc::identity::Role;
use reflex_runtime::clock::SystemClock;

fn reflexctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reflexctl"))
        .args(arguments)
        .output()
        .unwrap()
}

fn generate(folder: &Path) -> Output {
    reflexctl(&["keys", "generate", "--out", folder.to_str().unwrap(), "-o", "json"])
}

#[test]
fn a_token_says_who_may_do_what() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    assert!(generate(&keys).status.success());
    let key = keys.join("private.pem");
    let arguments = [
        "token",
        "--key",
        key.to_str().unwrap(),
        "--tenant",
        "east",
        "north",
        "--role",
        "sales",
        "--member",
        "li.na",
    ];
    let minted = reflexctl(&arguments);
    assert!(minted.status.success(), "{}", String::from_utf8_lossy(&minted.stderr));
    let token = String::from_utf8(minted.stdout).unwrap();

    let jwks = std::fs::read_to_string(keys.join("jwks.json")).unwrap();
    let verifier = Verifier::from_jwks(&jwks, "reflex", Arc::new(SystemClock::new())).unwrap();
    let claims = verifier.verify(token.trim()).unwrap().claims.clone();
    assert_eq!(
        (claims.subject.as_str(), claims.member.as_deref()),
        ("members/li.na", Some("members/li.na"))
    );
    assert_eq!(claims.roles, [Role::Sales]);
    let Tenants::Of(tenants) = claims.tenants else {
        panic!("not every tenant")
    };
    assert_eq!(tenants.joined(), "east,north");
}

#[test]
fn private_keys_are_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    assert!(generate(folder.path()).status.success());
    let key = folder.path().join("private.pem");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read(&key).unwrap();
    let again = generate(folder.path());
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).unwrap().contains("is there already"));
    assert_eq!(std::fs::read(&key).unwrap(), before);
}

#[test]
fn what_no_token_may_say_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(generate(folder.path()).status.success());
    let key = folder.path().join("private.pem");
    let token = |more: &[&str]| {
        let output = reflexctl(&[&["token", "--key", key.to_str().unwrap()], more].concat());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, error) = token(&["--tenant", "*", "--role", "admin"]);
    assert_eq!(
        (code, error.contains("only the role service")),
        (Some(1), true),
        "{error}"
    );
    let (code, error) = token(&["--tenant", "East", "--role", "admin"]);
    assert_eq!(
        (code, error.contains("tenant \"East\": a tenant id is")),
        (Some(1), true),
        "{error}"
    );
    for wrong in [
        &["--tenant", "a"][..],
        &["--tenant", "a", "--role", "root"],
        &["--tenant", "a", "--role", "sales", "--ttl", "soon"],
    ] {
        assert_eq!(token(wrong).0, Some(2), "{wrong:?}");
    }
}
