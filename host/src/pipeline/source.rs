//! Where slices come from: recorded files, a live server, or a list in a test.

use std::time::Duration;

use binlog::{
    BinlogError, FileSource, Held, LiveSource, ReadOptions, ServerFacts, ServerOptions, Start,
};
use change::{Definitions, Diagnose, LogSlice, Position, Retry};
use tracing::{info, warn};

use super::error::RunError;
use super::load::Loading;

/// Pauses between attempts to reach the server again; the last one is kept to.
const RECONNECT_PAUSES: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// Attempts to reach a server that was reached before, in a row; about ten minutes in all.
const RECONNECTS_MAX: usize = 60;

/// How far a source is in what it has to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourceProgress {
    /// Bytes in all, where they are known.
    pub bytes_total: Option<u64>,
}

/// Hands out whole transactions in log order.
pub trait Source: Send {
    /// The next slice; none at the end of what is to be read.
    ///
    /// # Errors
    /// Where the log cannot be read on. Slices handed out before are whole all the same.
    fn next(&mut self) -> impl Future<Output = Result<Option<LogSlice>, RunError>> + Send;

    /// How far it is.
    fn progress(&self) -> SourceProgress {
        SourceProgress::default()
    }
}

/// Any kind of source.
pub enum AnySource {
    /// Recorded files.
    Files(Box<FileSource>),
    /// A server.
    Live(Box<Reconnecting>),
    /// A server whose tables are being loaded.
    Loading(Box<Loading>),
}

impl AnySource {
    /// The definitions of tables behind what was handed out.
    #[must_use]
    pub fn definitions(&self) -> &Definitions {
        match self {
            Self::Files(files) => files.definitions(),
            Self::Live(live) => &live.options.definitions,
            Self::Loading(loading) => &loading.stream().options.definitions,
        }
    }
}

impl Source for AnySource {
    async fn next(&mut self) -> Result<Option<LogSlice>, RunError> {
        match self {
            Self::Files(files) => Ok(files.next()?),
            Self::Live(live) => live.next().await,
            Self::Loading(loading) => loading.next().await,
        }
    }

    fn progress(&self) -> SourceProgress {
        match self {
            Self::Files(files) => SourceProgress { bytes_total: Some(files.progress().1) },
            Self::Live(_) | Self::Loading(_) => SourceProgress::default(),
        }
    }
}

/// Where a live source ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveEnd {
    /// It follows the server.
    Never,
    /// Where the server's log ends at the start.
    Now,
}

/// A live source that survives a lost connection: it goes on behind the last slice it handed out.
pub struct Reconnecting {
    server: ServerOptions,
    /// Their definitions are those behind the last slice.
    options: ReadOptions,
    until: Option<Position>,
    /// Behind the last slice; before the first one, where it was asked to start.
    start: Start,
    live: Option<LiveSource>,
    /// What was prepared and open when the connection was lost.
    held: Held,
    /// A new connection found out the definitions, and nobody was told.
    has_learnt: bool,
}

impl Reconnecting {
    /// Connects; a server that cannot be reached at the start is an error at once. `end` says whether
    /// to stop where the server's log ends now.
    ///
    /// # Errors
    /// As [`LiveSource::connect`].
    pub async fn connect(
        server: ServerOptions,
        start: Start,
        end: LiveEnd,
        options: ReadOptions,
    ) -> Result<Self, RunError> {
        let until = match end {
            LiveEnd::Never => None,
            LiveEnd::Now => ServerFacts::read(&server).await?.position,
        };
        let held = Held::default();
        let mut source =
            Self { server, options, until, start, live: None, held, has_learnt: false };
        let live = source.reconnect().await?;
        source.options.definitions = live.definitions().clone();
        // `Latest` means the end of the log now, not at whatever time the connection is made again.
        source.start = Start::At(live.position());
        source.live = Some(live);
        Ok(source)
    }

    /// Where the reading is.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.live.as_ref().map(LiveSource::position)
    }

    /// Whether it has a connection; one that was lost is made again by [`Self::next`].
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.live.is_some()
    }

    /// Where the reading is, where everything up to there is handed out.
    #[must_use]
    pub fn drained(&self) -> Option<Position> {
        self.live.as_ref().filter(|live| live.is_drained()).map(LiveSource::position)
    }

    async fn reconnect(&self) -> Result<LiveSource, BinlogError> {
        let start = self.start.clone();
        LiveSource::connect(&self.server, start, self.until.clone(), self.options.clone()).await
    }

    /// Keeps what a slice says of definitions for the next connection, and says what that one learnt.
    fn tell_definitions(&mut self, slice: &mut LogSlice) {
        match &slice.definitions {
            Some(definitions) => self.options.definitions = definitions.clone(),
            None if self.has_learnt && !slice.is_partial => {
                slice.definitions = Some(self.options.definitions.clone());
            }
            None => return,
        }
        self.has_learnt = false;
    }

    pub(super) async fn next(&mut self) -> Result<Option<LogSlice>, RunError> {
        let mut attempts = 0;
        loop {
            let outcome = match self.live.as_mut() {
                Some(live) => live.next().await,
                None => match self.reconnect().await {
                    Ok(mut live) => {
                        info!(attempts, "connected again");
                        live.hold(std::mem::take(&mut self.held));
                        self.has_learnt |= *live.definitions() != self.options.definitions;
                        self.options.definitions = live.definitions().clone();
                        self.live = Some(live);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match outcome {
                Ok(mut slice) => {
                    if let Some(slice) = &mut slice {
                        self.start = Start::At(slice.end.clone());
                        self.tell_definitions(slice);
                    }
                    return Ok(slice);
                }
                Err(error) if error.retry() == Retry::Never || attempts >= RECONNECTS_MAX => {
                    return Err(error.into());
                }
                Err(error) => {
                    warn!(attempts, %error, "connection lost, trying again");
                    if let Some(mut lost) = self.live.take() {
                        self.held = lost.take_held();
                    }
                    let last = RECONNECT_PAUSES.len().saturating_sub(1);
                    let pause = RECONNECT_PAUSES.get(attempts.min(last)).copied();
                    tokio::time::sleep(pause.unwrap_or_default()).await;
                    attempts = attempts.saturating_add(1);
                }
            }
        }
    }
}

/// Slices from memory: the double for tests.
impl Source for std::vec::IntoIter<LogSlice> {
    async fn next(&mut self) -> Result<Option<LogSlice>, RunError> {
        Ok(Iterator::next(self))
    }
}
