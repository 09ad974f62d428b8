//! Connections to a server: encryption, waiting no longer than told, and errors by cause.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{ClientIdentity, Conn, DriverError, Error, IoError, Opts, OptsBuilder, SslOpts};
use rustls::CertificateError;
use tracing::debug;

use crate::error::server::cause_of;
use crate::error::{BinlogError, ServerCause};
use crate::options::{ServerOptions, TlsMode};

/// The largest packet: that of the protocol's largest event and what stands around it.
const PACKET_BYTES_MAX: usize = (1 << 30) + (1 << 21);

/// How long a silent connection is left alone before the system asks whether the other side is there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A connection that asks questions.
pub(crate) struct Connection {
    conn: Conn,
    address: String,
    timeout: Duration,
}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// Where the server cannot be reached, refuses the account, or cannot be spoken to as asked.
    pub(crate) async fn open(server: &ServerOptions) -> Result<Self, BinlogError> {
        install_provider();
        let address = server.address();
        let tls = tls(server, None);
        let outcome = match connect(server, tls).await {
            Err(Failure::Driver(Error::Driver(DriverError::NoClientSslFlagFromServer)))
                if server.tls.mode == TlsMode::Preferred =>
            {
                debug!(server = address, "the server offers no encryption");
                connect(server, None).await
            }
            Err(Failure::Driver(error)) if server.tls.mode == TlsMode::VerifyCa => {
                // Any name will do, but the library checks one: the certificate's own.
                match presented_name(&error) {
                    Some(name) => connect(server, self::tls(server, Some(name))).await,
                    None => Err(Failure::Driver(error)),
                }
            }
            other => other,
        };
        match outcome {
            Ok(conn) => Ok(Self { conn, address, timeout: server.connect_timeout }),
            Err(failure) => Err(failure.into_error(&address)),
        }
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// The server's, and the loss of the connection.
    pub(crate) async fn rows<T>(&mut self, query: &str) -> Result<Vec<T>, BinlogError>
    where
        T: FromRow + Send + 'static,
    {
        let outcome = self.try_rows(query).await;
        outcome.map_err(|failure| failure.into_error(&self.address))
    }

    /// The rows of a query, with the server's own error.
    pub(crate) async fn try_rows<T>(&mut self, query: &str) -> Result<Vec<T>, Failure>
    where
        T: FromRow + Send + 'static,
    {
        let asked = tokio::time::timeout(self.timeout, self.conn.query::<T, _>(query));
        match asked.await {
            Ok(outcome) => outcome.map_err(Failure::Driver),
            Err(_) => Err(Failure::Silent),
        }
    }

    /// Runs a statement without result.
    ///
    /// # Errors
    /// The server's, and the loss of the connection.
    pub(crate) async fn run(&mut self, statement: &str) -> Result<(), BinlogError> {
        let asked = tokio::time::timeout(self.timeout, self.conn.query_drop(statement));
        let outcome = match asked.await {
            Ok(outcome) => outcome.map_err(Failure::Driver),
            Err(_) => Err(Failure::Silent),
        };
        outcome.map_err(|failure| failure.into_error(&self.address))
    }

    /// The driver's connection, for what this one has no question for.
    pub(super) fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }

    /// The connection itself.
    pub(crate) fn into_inner(self) -> Conn {
        self.conn
    }
}

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The driver's or the server's error.
    Driver(Error),
    /// No answer in time.
    Silent,
}

impl Failure {
    pub(crate) fn into_error(self, address: &str) -> BinlogError {
        match self {
            Self::Driver(error) => {
                let cause = match presented_names(&error) {
                    Some(_) => ServerCause::TlsName,
                    None => cause_of(&error, ServerCause::Unreachable),
                };
                BinlogError::server(address, cause, Some(error))
            }
            Self::Silent => BinlogError::server(address, ServerCause::Unreachable, None),
        }
    }

    /// The number of the server's error.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Driver(Error::Server(said)) => Some(said.code),
            _ => None,
        }
    }
}

async fn connect(server: &ServerOptions, tls: Option<SslOpts>) -> Result<Conn, Failure> {
    let options = OptsBuilder::default()
        .ip_or_hostname(server.host.clone())
        .tcp_port(server.port)
        .user(Some(server.user.clone()))
        .pass(server.password.clone())
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE))
        .max_allowed_packet(Some(PACKET_BYTES_MAX))
        .stmt_cache_size(0)
        .ssl_opts(tls);
    match tokio::time::timeout(server.connect_timeout, Conn::new(Opts::from(options))).await {
        Ok(outcome) => outcome.map_err(Failure::Driver),
        Err(_) => Err(Failure::Silent),
    }
}

fn tls(server: &ServerOptions, name: Option<String>) -> Option<SslOpts> {
    let mode = server.tls.mode;
    if mode == TlsMode::Disabled {
        return None;
    }
    let owned = |path: &Path| path.to_owned().into();
    let mut tls = SslOpts::default();
    if let Some(ca) = &server.tls.ca {
        tls = tls.with_root_certs(vec![owned(ca)]).with_disable_built_in_roots(true);
    }
    if let Some((certificate, key)) = &server.tls.client {
        let identity = ClientIdentity::new(owned(certificate), owned(key));
        tls = tls.with_client_identity(Some(identity));
    }
    if let Some(name) = name {
        tls = tls.with_danger_tls_hostname_override(Some(name));
    }
    let checks = matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyIdentity);
    Some(tls.with_danger_accept_invalid_certs(!checks))
}

/// The names of the server's certificate, where its chain is good and only the name is another one.
fn presented_names(error: &Error) -> Option<&[String]> {
    let Error::Io(IoError::Io(error)) = error else {
        return None;
    };
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented,
            ..
        }) => Some(presented),
        rustls::Error::InvalidCertificate(CertificateError::NotValidForName) => Some(&[]),
        _ => None,
    }
}

/// One of them that a connection can be made to.
fn presented_name(error: &Error) -> Option<String> {
    // The library tells them as `DnsName("db.example")` and `IpAddress(127.0.0.1)`.
    let inner = |text: &String| {
        let (_, rest) = text.split_once('(')?;
        let name = rest.strip_suffix(')')?.trim_matches('"').replace('*', "any");
        (!name.is_empty()).then_some(name)
    };
    presented_names(error)?.iter().find_map(inner)
}

/// Chooses the library of ciphers once for the process, unless somebody else did.
fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that another one is installed already, which will do as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
