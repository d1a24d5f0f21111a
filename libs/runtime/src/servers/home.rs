//! The data directory: who may use it, and what is in it.

use std::{
    fs::{self, File, Permissions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use super::{
    Context as _, ServersError, ServersOptions,
    programs::{self, User},
};

/// Whether the servers end with this process.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Lifetime {
    Owner,
    Detached,
}

/// The data directory, opened: what both servers need to know.
pub(super) struct Home {
    pub(super) data_dir: PathBuf,
    pub(super) durable: bool,
    pub(super) lifetime: Lifetime,
    /// Set when this process is root.
    pub(super) user: Option<User>,
    /// Set when durable: a test's servers let every local user in.
    pub(super) password: Option<String>,
}

impl Home {
    /// Opens the directory for this process alone, as long as the returned file is open.
    pub(super) fn open(options: &ServersOptions, lifetime: Lifetime) -> Result<(Self, File), ServersError> {
        let data_dir = options.data_dir.as_path();
        let doing = |what: &str| format!("{what} {}", data_dir.display());
        fs::create_dir_all(data_dir).context(|| doing("make"))?;
        // Both servers find their files by this path, and it is what left-over ones are recognised by.
        let data_dir = data_dir.canonicalize().context(|| doing("resolve"))?;

        let lock = File::create(data_dir.join("lock")).context(|| doing("make a lock in"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ServersError::InUse(data_dir)),
            Err(TryLockError::Error(source)) => return Err(source).context(|| doing("take the lock in")),
        }
        let user = programs::unprivileged_user()?;
        if let Some(user) = &user {
            open_for(user, &data_dir)?;
        }
        let mut home = Self {
            data_dir,
            durable: options.durable,
            lifetime,
            user,
            password: None,
        };
        if home.durable {
            home.password = Some(home.keep_password().context(|| doing("keep a password in"))?);
        }
        Ok((home, lock))
    }

    /// Makes a directory of a server: its own, closed to everybody else.
    pub(super) fn make_dir(&self, name: &str) -> Result<PathBuf, ServersError> {
        let dir = self.data_dir.join(name);
        let make = || {
            fs::create_dir_all(&dir)?;
            fs::set_permissions(&dir, Permissions::from_mode(0o700))?;
            self.give(&dir)
        };
        make().context(|| format!("make {}", dir.display()))?;
        Ok(dir)
    }

    /// Begins a new log of a server; the one of its last start stays beside it.
    pub(super) fn new_log(&self, name: &str) -> Result<PathBuf, ServersError> {
        let log = self.data_dir.join(format!("{name}.log"));
        if log.exists() {
            fs::rename(&log, log.with_extension("log.old")).context(|| format!("keep {}", log.display()))?;
        }
        Ok(log)
    }

    /// Returns the file with the password, readable for the servers' account only.
    pub(super) fn password_file(&self) -> PathBuf {
        self.data_dir.join("password")
    }

    /// Reads the password both servers ask for, making it at the first start.
    fn keep_password(&self) -> io::Result<String> {
        let path = self.password_file();
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        let mut bytes = [0_u8; 16];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let password = format!("{:032x}", u128::from_ne_bytes(bytes));
        // Written aside first: a half-written password would lock everybody out for good.
        let aside = path.with_extension("new");
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(password.as_bytes())?;
        file.sync_all()?;
        self.give(&aside)?;
        fs::rename(aside, path)?;
        Ok(password)
    }

    /// Makes the servers' account the owner of a file.
    fn give(&self, path: &Path) -> io::Result<()> {
        self.user
            .as_ref()
            .map_or(Ok(()), |user| chown(path, Some(user.uid), Some(user.gid)))
    }
}

/// Lets the servers' account pass through the data directory to its own directories. The directories above are not
/// ours to open: root's home, for one, is closed on purpose.
fn open_for(user: &User, data_dir: &Path) -> Result<(), ServersError> {
    let look = |dir: &Path| fs::metadata(dir).context(|| format!("look at {}", dir.display()));
    let opened = Permissions::from_mode(look(data_dir)?.mode() | 0o011);
    fs::set_permissions(data_dir, opened).context(|| format!("open {}", data_dir.display()))?;
    for dir in data_dir.ancestors().skip(1) {
        let metadata = look(dir)?;
        if metadata.mode() & 0o001 == 0 && metadata.uid() != user.uid {
            return Err(ServersError::Closed(dir.to_owned()));
        }
    }
    Ok(())
}
