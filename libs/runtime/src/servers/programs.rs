//! Where the servers' programs are on this machine, and the user they run as.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Context as _, ServersError,
    home::{Home, Lifetime},
};

/// What a Redis may be called.
pub(super) const REDIS: [&str; 2] = ["redis-server", "valkey-server"];

const INSTALL: &str = "sudo apt-get install -y postgresql redis-server";

/// Looked at after PATH, which a service manager may have left short.
const USUAL_DIRS: [&str; 4] = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin"];

/// Where Debian and Ubuntu keep one folder for each installed version of PostgreSQL.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// The account the servers run under when this process is root.
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Finds the account for the servers; none when this process is not root and they run as itself.
pub(super) fn unprivileged_user() -> Result<Option<User>, ServersError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd").context(|| "read /etc/passwd".to_owned())?;
    let user = ["postgres", "nobody"]
        .iter()
        .find_map(|name| user_named(name, &accounts));
    user.map(Some).ok_or(ServersError::Missing {
        program: "an account called postgres or nobody",
        hint: INSTALL,
    })
}

fn user_named(name: &str, accounts: &str) -> Option<User> {
    let mut fields = accounts
        .lines()
        .map(|line| line.split(':'))
        .find(|fields| fields.clone().next() == Some(name))?;
    Some(User {
        uid: fields.nth(2)?.parse().ok()?,
        gid: fields.next()?.parse().ok()?,
    })
}

/// Prepares to run a program as the servers' user; `end` is the signal it gets when this process dies.
pub(super) fn command(program: &Path, home: &Home, end: &str) -> Result<Command, ServersError> {
    let mut arguments = Vec::new();
    if let Some(user) = &home.user {
        arguments.extend([
            format!("--reuid={}", user.uid),
            format!("--regid={}", user.gid),
            "--clear-groups".into(),
        ]);
    }
    if home.lifetime == Lifetime::Owner {
        arguments.push(format!("--pdeathsig={end}"));
    }
    let mut command = if arguments.is_empty() {
        Command::new(program)
    } else {
        let setpriv = find_on_path(&["setpriv"]).ok_or(ServersError::Missing {
            program: "setpriv",
            hint: "sudo apt-get install -y util-linux",
        })?;
        let mut command = Command::new(setpriv);
        command.args(arguments).arg("--").arg(program);
        command
    };
    // The developer's PGHOST, LANG and so on are none of the servers' business.
    command
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/");
    Ok(command)
}

pub(super) fn find_redis() -> Result<PathBuf, ServersError> {
    let found = find_on_path(&REDIS);
    found.ok_or(ServersError::Missing {
        program: "redis-server",
        hint: INSTALL,
    })
}

/// Finds the folder with `initdb` and `postgres`, of the version that made the data when there is any.
pub(super) fn find_postgres(data_dir: &Path) -> Result<PathBuf, ServersError> {
    let found = postgres_dirs();
    let Ok(made_by) = fs::read_to_string(data_dir.join("PG_VERSION")) else {
        return found.into_iter().next().ok_or(ServersError::Missing {
            program: "initdb",
            hint: INSTALL,
        });
    };
    let made_by = made_by.trim();
    let versions: Vec<String> = found.iter().filter_map(|dir| major_version(dir)).collect();
    found
        .into_iter()
        .find(|dir| major_version(dir).as_deref() == Some(made_by))
        .ok_or_else(|| ServersError::OtherVersion {
            data_dir: data_dir.to_owned(),
            made_by: made_by.to_owned(),
            found: if versions.is_empty() {
                "none".to_owned()
            } else {
                versions.join(", ")
            },
        })
}

/// Lists the installed versions: the one on PATH first, then the newest.
fn postgres_dirs() -> Vec<PathBuf> {
    let mut installed: Vec<(u32, PathBuf)> = fs::read_dir(POSTGRES_VERSIONS)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    installed.sort_unstable_by(|left, right| right.cmp(left));
    // A link on PATH leads to the folder where the other programs and their files are.
    let on_path = find_on_path(&["initdb"]).and_then(|initdb| Some(initdb.canonicalize().ok()?.parent()?.to_owned()));
    let dirs = on_path.into_iter().chain(installed.into_iter().map(|(_, dir)| dir));
    dirs.filter(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
        .collect()
}

/// Asks a PostgreSQL for its major version, as `PG_VERSION` has it.
fn major_version(bin_dir: &Path) -> Option<String> {
    let output = Command::new(bin_dir.join("postgres")).arg("--version").output().ok()?;
    // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "postgres (PostgreSQL) 19beta1"
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_whitespace().nth(2)?;
    Some(version.chars().take_while(char::is_ascii_digit).collect())
}

#[expect(
    clippy::disallowed_methods,
    reason = "PATH is how the system says where its programs are, not a setting"
)]
fn find_on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = std::env::split_paths(&path)
        .chain(USUAL_DIRS.iter().map(PathBuf::from))
        .collect();
    let program = |name: &&str| {
        dirs.iter()
            .map(|dir| dir.join(OsStr::new(name)))
            .find(|program| program.is_file())
    };
    names.iter().find_map(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts =
            "root:x:0:0:root:/root:/bin/bash\npostgres2:x:7:8::/:/bin/sh\npostgres:x:101:104:,,:/var:/bin/sh\n";
        let user = user_named("postgres", accounts).unwrap();
        assert_eq!((user.uid, user.gid), (101, 104));
        assert!(user_named("nobody", accounts).is_none());
        assert!(user_named("broken", "broken:x:one:two\n").is_none());
    }
}
