//! The program as one starts it: on an empty directory, stopped in order, started again on what it left.

#![cfg(test)]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use reflex_testing::eventually;
use rustix::process::{Pid, Signal, kill_process};

#[tokio::test]
async fn starts_on_an_empty_directory_stops_in_order_and_starts_again() {
    // The servers run as another account, which has to pass through.
    let open = Permissions::from_mode(0o711);
    let home = tempfile::Builder::new()
        .prefix("reflex-standalone-")
        .permissions(open)
        .tempdir()
        .unwrap();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let mut program = start(home.path());
        // Written last, when everything is ready.
        let client = home.path().join("client.toml");
        eventually("the program is ready", async || {
            assert_eq!(program.try_wait().unwrap(), None, "ended while it started");
            fs::read_to_string(&client).is_ok_and(|text| text.contains("token"))
        })
        .await;
        for secret in ["client.toml", "servers.toml", "keys/secrets.json"] {
            let mode = fs::metadata(home.path().join(secret)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{secret} is for its owner only");
        }
        keys.push(fs::read(home.path().join("keys/secrets.json")).unwrap());
        fs::remove_file(&client).unwrap();

        let pid = Pid::from_child(&program);
        kill_process(pid, Signal::TERM).unwrap();
        let ended = tokio::task::spawn_blocking(move || program.wait().unwrap())
            .await
            .unwrap();
        assert!(ended.success(), "{ended}");
    }
    assert_eq!(keys[0], keys[1], "keys are made once");
}

fn start(home: &Path) -> Child {
    let free = "127.0.0.1:0";
    Command::new(env!("CARGO_BIN_EXE_reflex-standalone"))
        .arg("--data-dir")
        .arg(home)
        .args(["--gateway", free, "--leads", free, "--notifications", free])
        .args(["--tenants", "huakang-east", "--log", "warn"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}
