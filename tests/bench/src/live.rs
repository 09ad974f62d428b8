//! A live server's log, with and without TLS, against the same log as a file: what connection and protocol add.
//!
//! cost = bytes * (copies of the server + encryption) + decoding. Server and reader share the machine's cores, so
//! the server's own work is in the figure.

use std::hint::black_box;
use std::path::Path;

use anyhow::Result;
use binlog::{FileSource, LiveSource, ReadOptions, ServerOptions, Start, TlsMode};
use change::Position;
use sluice_tests::servers::Address;
use tokio::runtime::{Builder, Runtime};

use crate::figure::{Figure, Reach};
use crate::logs;
use crate::round::compare;

/// Where the events of a log begin.
const FIRST_EVENT: u64 = 4;

/// The figures of this module.
pub(crate) fn figures() -> Result<Vec<Figure>> {
    let (server, file) = logs::streaming()?;
    let path = server.data().join(&file);
    let bytes = std::fs::metadata(&path)?.len();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let live =
        Live { runtime, address: server.address.clone(), start: Position::at(file, FIRST_EVENT) };
    let images = from_file(&path)?;
    let mut figures = Vec::new();
    for (name, mode, reach) in
        [("live", TlsMode::Disabled, 3.0), ("live_tls", TlsMode::Required, 4.0)]
    {
        let compared = compare(|| from_file(&path).map(drop), || live.read(mode, images))?;
        #[expect(clippy::cast_precision_loss, reason = "a size in MB is for people")]
        let megabytes = bytes as f64 / 1e6;
        let note = format!(
            "{:.0} MB/s from the server, {:.0} MB/s from its file, {images} images",
            megabytes / compared.b_seconds,
            megabytes / compared.a_seconds
        );
        let side = Reach::AtMost;
        figures.push(Figure { name, value: compared.ratio, unit: "x", reach, side, note });
    }
    Ok(figures)
}

fn from_file(path: &Path) -> Result<usize> {
    let mut source = FileSource::open(&[path.to_owned()], None, ReadOptions::default())?;
    let mut images = 0;
    while let Some(slice) = source.next()? {
        images += black_box(slice).images();
    }
    Ok(images)
}

/// A server that has a log to send.
struct Live {
    runtime: Runtime,
    address: Address,
    start: Position,
}

impl Live {
    /// Reads from the start until so many row images have come.
    fn read(&self, mode: TlsMode, images: usize) -> Result<()> {
        let mut server = ServerOptions::new(&self.address.host, &self.address.user);
        server.port = self.address.port;
        server.tls.mode = mode;
        self.runtime.block_on(async {
            let start = Start::At(self.start.clone());
            let mut source =
                LiveSource::connect(&server, start, None, ReadOptions::default()).await?;
            let mut read = 0;
            while read < images {
                let Some(slice) = source.next().await? else { break };
                read += black_box(slice).images();
            }
            Ok(())
        })
    }
}
