//! Decoding: our reader, down to Arrow columns, against the row decoders that Rust programs use.
//!
//! cost = bytes + images * (columns + variable bytes) + transactions. Both sides read the same file from the page
//! cache with one thread, verify no less than they do by default, and make every value; ours verifies checksums too.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Result, bail};
use binlog::{FileSource, ReadOptions};
use mysql_cdc::binlog_reader::BinlogReader;
use mysql_cdc::events::binlog_event::BinlogEvent;
use mysql_common::binlog::consts::BinlogVersion;
use mysql_common::binlog::events::EventData;
use mysql_common::binlog::{BinlogFile, events::RowsEventData};

use crate::figure::{Figure, Reach};
use crate::logs;
use crate::round::{compare, timed};

/// How much is read at once where nothing but reading is measured.
const READ_BYTES: usize = 1 << 20;

/// A decoder that ours is compared with: reads a log, makes every value, returns the number of row images.
struct Peer {
    name: &'static str,
    read: fn(&Path) -> Result<usize>,
}

const MYSQL_COMMON: Peer = Peer { name: "mysql_common", read: mysql_common };
const MYSQL_CDC: Peer = Peer { name: "mysql_cdc", read: mysql_cdc };

/// The figures of this module.
pub(crate) fn figures() -> Result<Vec<Figure>> {
    let (sysbench, one_row) = (logs::sysbench()?, logs::one_row()?);
    let mut figures = vec![
        figure("decode_sysbench", 10.0, &sysbench, &MYSQL_COMMON)?,
        figure("decode_mixed", 12.0, &logs::mixed()?, &MYSQL_COMMON)?,
        figure("decode_wide", 10.0, &logs::wide()?, &MYSQL_COMMON)?,
        figure("decode_one_row", 5.0, &one_row, &MYSQL_COMMON)?,
    ];
    for (name, reach, log) in [("cdc_sysbench", 1.6, &sysbench), ("cdc_one_row", 10.0, &one_row)] {
        match figure(name, reach, log, &MYSQL_CDC) {
            Ok(figure) => figures.push(figure),
            Err(error) => crate::say(&format!("  {name} left out: {error:#}")),
        }
    }
    Ok(figures)
}

fn figure(name: &'static str, reach: f64, path: &Path, peer: &Peer) -> Result<Figure> {
    let (ours, theirs) = (ours(path)?, (peer.read)(path)?);
    if ours != theirs {
        bail!("{}: {ours} images by us, {theirs} by {}", path.display(), peer.name);
    }
    let compared = compare(|| self::ours(path).map(drop), || (peer.read)(path).map(drop))?;
    let reading = timed(|| read_bytes(path))?;
    #[expect(clippy::cast_precision_loss, reason = "a size in MB is for people")]
    let megabytes = std::fs::metadata(path)?.len() as f64 / 1e6;
    let note = format!(
        "{:.0} MB/s against {:.0} MB/s of {}, {ours} images; reading the bytes alone would be {:.0} % of our time",
        megabytes / compared.a_seconds,
        megabytes / compared.b_seconds,
        peer.name,
        100.0 * reading / compared.a_seconds,
    );
    Ok(Figure { name, value: compared.ratio, unit: "x", reach, side: Reach::AtLeast, note })
}

/// The limit: the bytes of the file, looked at by nobody.
fn read_bytes(path: &Path) -> Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; READ_BYTES];
    while file.read(&mut buffer)? > 0 {
        black_box(&buffer);
    }
    Ok(())
}

fn ours(path: &Path) -> Result<usize> {
    let mut source = FileSource::open(&[path.to_owned()], None, ReadOptions::default())?;
    let mut images = 0;
    while let Some(slice) = source.next()? {
        images += black_box(slice).images();
    }
    Ok(images)
}

fn mysql_common(path: &Path) -> Result<usize> {
    let mut file = BinlogFile::new(
        BinlogVersion::Version4,
        BufReader::with_capacity(1 << 20, File::open(path)?),
    )?;
    let mut images = 0;
    while let Some(event) = file.next() {
        let event = event?;
        let Some(EventData::RowsEvent(rows)) = event.read_data()? else { continue };
        let Some(map) = file.reader().get_tme(rows.table_id()) else { bail!("no table map") };
        images += count(&rows, map)?;
    }
    Ok(images)
}

fn count(
    rows: &RowsEventData<'_>,
    map: &mysql_common::binlog::events::TableMapEvent<'_>,
) -> Result<usize> {
    let mut images = 0;
    for row in rows.rows(map) {
        let (before, after) = row?;
        images += usize::from(before.is_some()) + usize::from(after.is_some());
        black_box((before, after));
    }
    Ok(images)
}

fn mysql_cdc(path: &Path) -> Result<usize> {
    let mut images = 0;
    for event in BinlogReader::new(File::open(path)?).map_err(told)?.read_events() {
        let (_, event) = event.map_err(told)?;
        images += match &event {
            BinlogEvent::WriteRowsEvent(rows) => rows.rows.len(),
            BinlogEvent::UpdateRowsEvent(rows) => 2 * rows.rows.len(),
            BinlogEvent::DeleteRowsEvent(rows) => rows.rows.len(),
            _ => 0,
        };
        black_box(event);
    }
    Ok(images)
}

/// Its errors are no `std::error::Error`.
fn told(error: mysql_cdc::errors::Error) -> anyhow::Error {
    anyhow::anyhow!("mysql_cdc: {error:?}")
}
