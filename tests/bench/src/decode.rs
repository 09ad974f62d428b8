//! Decoding: our reader, down to Arrow columns, against the row decoder that Rust programs use.
//!
//! cost = bytes + images * (columns + variable bytes). Both sides read the same file from the page cache with one
//! thread, verify no less than they do by default, and make every value; ours verifies checksums too.

use std::fs::File;
use std::hint::black_box;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Result, bail};
use binlog::{FileSource, ReadOptions};
use mysql_common::binlog::consts::BinlogVersion;
use mysql_common::binlog::events::EventData;
use mysql_common::binlog::{BinlogFile, events::RowsEventData};

use crate::figure::{Figure, Reach};
use crate::logs;
use crate::round::compare;

/// The figures of this module.
pub(crate) fn figures() -> Result<Vec<Figure>> {
    let sysbench = figure("decode_sysbench", 10.0, &logs::sysbench()?)?;
    let mixed = figure("decode_mixed", 12.0, &logs::mixed()?)?;
    Ok(vec![sysbench, mixed])
}

fn figure(name: &'static str, reach: f64, path: &Path) -> Result<Figure> {
    let (ours, theirs) = (ours(path)?, theirs(path)?);
    if ours != theirs {
        bail!("{}: {ours} images by us, {theirs} by mysql_common", path.display());
    }
    let compared = compare(|| self::ours(path).map(drop), || self::theirs(path).map(drop))?;
    #[expect(clippy::cast_precision_loss, reason = "a size in MB is for people")]
    let megabytes = std::fs::metadata(path)?.len() as f64 / 1e6;
    let note = format!(
        "{:.0} MB/s against {:.0} MB/s, {ours} images",
        megabytes / compared.a_seconds,
        megabytes / compared.b_seconds
    );
    Ok(Figure { name, value: compared.ratio, unit: "x", reach, side: Reach::AtLeast, note })
}

fn ours(path: &Path) -> Result<usize> {
    let mut source = FileSource::open(&[path.to_owned()], None, ReadOptions::default())?;
    let mut images = 0;
    while let Some(slice) = source.next()? {
        images += black_box(slice).images();
    }
    Ok(images)
}

fn theirs(path: &Path) -> Result<usize> {
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
