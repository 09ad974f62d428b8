//! Real servers: one of each kind for all tests of a run, and others of their own for tests that stop them.
//!
//! A server is started by `scripts/servers.sh serve`, which ends it as soon as its standard input closes: however this
//! process ends, no server stays behind. Tests share a server by using databases of their own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::checkout;
use crate::sql::Sql;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MySQL 9.7.
    Mysql,
    /// MariaDB 11.8.
    Mariadb,
}

impl Kind {
    /// The name that `scripts/servers.sh` knows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql => "mysql-9.7",
            Self::Mariadb => "mariadb-11.8",
        }
    }

    /// The environment variable that names an existing server.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Mysql => "SLUICE_TEST_MYSQL",
            Self::Mariadb => "SLUICE_TEST_MARIADB",
        }
    }
}

/// How to reach a server as a user who may do everything.
#[derive(Clone, Debug)]
pub struct Address {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The account.
    pub user: String,
    /// Its password, empty where it has none.
    pub password: String,
}

/// A server that tests may use.
#[derive(Debug)]
pub struct Server {
    /// Which one it is.
    pub kind: Kind,
    /// How to reach it.
    pub address: Address,
    own: Option<OwnServer>,
}

#[derive(Debug)]
struct OwnServer {
    dir: PathBuf,
    guard: Child,
}

/// The server of a kind that all tests share.
///
/// # Panics
/// Where it cannot be started; the message says how to get it.
#[must_use]
pub fn shared(kind: Kind) -> &'static Server {
    static MYSQL: OnceLock<Server> = OnceLock::new();
    static MARIADB: OnceLock<Server> = OnceLock::new();
    let cell = match kind {
        Kind::Mysql => &MYSQL,
        Kind::Mariadb => &MARIADB,
    };
    cell.get_or_init(|| match std::env::var(kind.variable()) {
        Ok(url) => Server { kind, address: address_of(kind.variable(), &url), own: None },
        Err(_) => Server::start(kind, &[]),
    })
}

fn address_of(variable: &str, url: &str) -> Address {
    let read = || -> Option<Address> {
        let rest = url.strip_prefix("mysql://")?;
        let (account, place) = rest.rsplit_once('@')?;
        let (host, port) = place.trim_end_matches('/').rsplit_once(':')?;
        let (user, password) = account.split_once(':').unwrap_or((account, ""));
        let text = |t: &str| t.to_owned();
        Some(Address {
            host: text(host),
            port: port.parse().ok()?,
            user: text(user),
            password: text(password),
        })
    };
    read()
        .unwrap_or_else(|| panic!("{variable} has to be like mysql://root:password@127.0.0.1:3306"))
}

impl Server {
    /// A server of one's own, with further options of the server program.
    ///
    /// # Panics
    /// Where it cannot be started, with what the script said.
    #[must_use]
    pub fn start(kind: Kind, options: &[&str]) -> Self {
        let dir = own_folder(kind);
        let port = free_port();
        let mut guard = script()
            .args(["serve", kind.name()])
            .arg(&dir)
            .arg(port.to_string())
            .args(options)
            .env("SLUICE_SERVER_REMOVE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash runs scripts/servers.sh");
        let mut line = String::new();
        let output = guard.stdout.take().expect("its output is a pipe");
        let read = BufReader::new(output).read_line(&mut line);
        assert!(
            read.is_ok() && line.trim() == "ready",
            "{} could not be started (its own words stand above); or set {} to an existing server",
            kind.name(),
            kind.variable()
        );
        let address = Address {
            host: "127.0.0.1".into(),
            port,
            user: "root".into(),
            password: String::new(),
        };
        Self { kind, address, own: Some(OwnServer { dir, guard }) }
    }

    /// A connection as a user who may do everything.
    #[must_use]
    pub fn sql(&self) -> Sql {
        Sql::connect(&self.address)
    }

    /// A new database with a name that no other test uses.
    #[must_use]
    pub fn database(&self, name: &str) -> (String, Sql) {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let database = format!("{name}_{}_{number}", std::process::id());
        let mut sql = self.sql();
        sql.run(&format!("CREATE DATABASE {database} CHARACTER SET utf8mb4"));
        sql.run(&format!("USE {database}"));
        (database, sql)
    }

    /// The folder with the server's certificates and logs.
    ///
    /// # Panics
    /// For a server that somebody else runs.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.own().dir.join("data")
    }

    /// Ends the server at once, as a power cut would.
    ///
    /// # Panics
    /// Where it is not ours or does not run.
    pub fn kill(&self) {
        let status = script().arg("kill").arg(&self.own().dir).status();
        assert!(status.is_ok_and(|s| s.success()), "{} could not be killed", self.kind.name());
    }

    /// Starts it again on the same data and the same port.
    ///
    /// # Panics
    /// Where it does not come up.
    pub fn start_again(&self, options: &[&str]) {
        let mut start = script();
        start
            .args(["start", self.kind.name()])
            .arg(&self.own().dir)
            .arg(self.address.port.to_string())
            .args(options);
        let status = start.stdin(Stdio::null()).status().expect("bash runs scripts/servers.sh");
        assert!(status.success(), "{} did not start again", self.kind.name());
    }

    fn own(&self) -> &OwnServer {
        self.own.as_ref().unwrap_or_else(|| {
            panic!("this test needs a server of its own: unset {}", self.kind.variable())
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            drop(own.guard.stdin.take());
            drop(own.guard.wait());
        }
    }
}

/// Sends a signal to one process.
pub fn signal(pid: &str, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), pid]).status();
    assert!(sent.is_ok_and(|s| s.success()), "process {pid} could not be sent {name}");
}

/// A TCP port that nobody listens on.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound address").port()
}

fn script() -> Command {
    let mut command = Command::new("bash");
    command.arg(checkout::root().join("scripts/servers.sh"));
    command
}

// Short: the path of a socket has 107 bytes at most.
fn own_folder(kind: Kind) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let base = std::env::temp_dir();
    let base = if base.as_os_str().len() > 40 { Path::new("/tmp").to_owned() } else { base };
    base.join(format!("sluice-{}-{}-{number}", kind.name(), std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_server_is_named_by_a_url() {
        let address = address_of("X", "mysql://root:a:b@c@10.0.0.1:3307/");
        assert_eq!((address.host.as_str(), address.port), ("10.0.0.1", 3307));
        assert_eq!((address.user.as_str(), address.password.as_str()), ("root", "a:b@c"));
        assert_eq!(address_of("X", "mysql://root@localhost:3306").password, "");
        assert!(std::panic::catch_unwind(|| address_of("X", "localhost")).is_err());
    }
}
