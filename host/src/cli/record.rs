//! `sluice record`: a slice of a server's log as a file that `run`, `inspect` and `test` read, with the
//! definitions of its tables beside it.

use std::path::PathBuf;
use std::time::Duration;

use binlog::live::{RecordLimits, Recorded};
use binlog::{LiveSource, ReadOptions, definition};
use change::{Position, TablePatterns};

use super::Outcome;
use super::output::{Form, Output};
use super::pipelines;
use crate::error::{CommandError, HostError};
use crate::manifest::{Manifest, SourceFrom, quantity};
use crate::moment;
use crate::pipeline::given;
use crate::pipeline::open::{read_options, server_options, start_at_server};
use crate::pipeline::resume::Resume;
use crate::progress::{grouped, megabytes};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The manifest whose server is recorded, from its `start` on
    manifest: PathBuf,
    /// The file to write; definitions go beside it, as FILE.definitions
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Record these tables instead of those of the manifest, such as shop.*
    #[arg(long, value_name = "PATTERN")]
    tables: Vec<String>,
    /// Where to end: `end` (of the log as it is now), a position FILE:OFFSET, or a time such as
    /// 2026-11-22T10:00:00Z. Without it: at a limit, or when stopped
    #[arg(long, value_name = "WHERE", value_parser = until)]
    until: Option<Until>,
    /// End before the file is larger than this
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    max_size: u64,
    /// End after this time, such as 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_time: Option<Duration>,
    /// Print what was recorded as JSON
    #[arg(long)]
    json: bool,
}

/// Where a recording ends.
#[derive(Clone, Debug)]
enum Until {
    End,
    At(Position),
    Time(u64),
}

fn until(text: &str) -> Result<Until, String> {
    if text == "end" {
        return Ok(Until::End);
    }
    if let Ok(seconds) = moment::parse(text) {
        return Ok(Until::Time(seconds));
    }
    let place = text.rsplit_once(':').filter(|(file, _)| !file.is_empty());
    let place = place.and_then(|(file, offset)| Some(Position::at(file, offset.parse().ok()?)));
    place.map(Until::At).ok_or_else(|| {
        "write `end`, a position such as mysql-bin.000004:1234, or a time such as 2026-11-22T10:00:00Z"
            .to_owned()
    })
}

fn size(text: &str) -> Result<u64, String> {
    quantity::size(text).ok_or_else(|| "write a size such as 64MiB".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    quantity::duration(text).ok_or_else(|| "write a time such as 30s or 10m".to_owned())
}

/// What was recorded, for people and programs.
#[derive(serde::Serialize)]
struct Report {
    file: PathBuf,
    definitions: Option<PathBuf>,
    bytes: u64,
    transactions: u64,
    begin: Position,
    end: Position,
}

pub(super) fn run(args: &Args) -> Result<Outcome, CommandError> {
    let manifests = pipelines::load(&args.manifest)?;
    let [manifest] = manifests.as_slice() else {
        return Err(usage("the script names several pipelines", "give the manifest of one").into());
    };
    let mut beside = args.output.as_os_str().to_owned();
    beside.push(".definitions");
    let beside = PathBuf::from(beside);
    for path in [&args.output, &beside] {
        if path.exists() {
            let message = format!("{} is there already", path.display());
            return Err(usage(&message, "name a file that is not there yet").into());
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|source| HostError::Start { what: "the runtime", source })?;
    let recorded = runtime.block_on(record(args, manifest))?;
    let mut report = Report {
        file: args.output.clone(),
        definitions: None,
        bytes: recorded.bytes,
        transactions: recorded.transactions,
        begin: recorded.begin,
        end: recorded.end,
    };
    if !recorded.definitions.is_empty() {
        let text = definition::to_text(recorded.definitions).map_err(std::io::Error::from);
        let written = text.and_then(|text| std::fs::write(&beside, text));
        let path = beside.clone();
        written.map_err(|source| HostError::File { doing: "write", path, source })?;
        report.definitions = Some(beside);
    }
    let mut output = Output::new();
    match Form::of(args.json) {
        Form::Json => output.json(&report)?,
        Form::Text => output.text(&as_text(&report))?,
    }
    output.finish()?;
    Ok(Outcome::Done)
}

async fn record(args: &Args, manifest: &Manifest) -> Result<Recorded, CommandError> {
    let SourceFrom::Server(settings) = &manifest.source.from else {
        let hint = "name a server in [source]; recorded files can be copied as they are";
        return Err(usage("the manifest reads recorded files", hint).into());
    };
    let mut options: ReadOptions = read_options(manifest);
    if !args.tables.is_empty() {
        options.tables = TablePatterns::parse(&args.tables)
            .map_err(|error| usage(&error.to_string(), "write database.table"))?;
    }
    if let Some(path) = &manifest.source.definitions {
        options.definitions = given::definitions(path)?;
    }
    let server = server_options(settings);
    let start = start_at_server(manifest, &Resume::default());
    let end = match &args.until {
        Some(Until::End) => binlog::live::end_of(&server).await?,
        Some(Until::At(position)) => Some(position.clone()),
        Some(Until::Time(_)) | None => None,
    };
    let limits = RecordLimits {
        bytes_max: args.max_size,
        time_max: args.max_time,
        until_seconds: match args.until {
            Some(Until::Time(seconds)) => Some(seconds),
            _ => None,
        },
    };
    let source = LiveSource::connect(&server, start, end, options.clone()).await?;
    let stop = async {
        // Where the signal cannot be waited for, limits end the recording.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok(source.record(&args.output, &options, &limits, stop).await?)
}

fn usage(message: &str, hint: &str) -> HostError {
    HostError::Usage { message: message.to_owned(), hint: hint.to_owned() }
}

fn as_text(report: &Report) -> String {
    let Report { file, definitions, bytes, transactions, begin, end } = report;
    let (file, bytes, transactions) = (file.display(), megabytes(*bytes), grouped(*transactions));
    let mut text = format!("{file}: {transactions} transactions, {bytes}, from {begin} to {end}\n");
    if let Some(path) = definitions {
        text.push_str(&format!("{}: the definitions at its beginning\n", path.display()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_recording_is_a_word_a_place_or_a_time() {
        assert!(matches!(until("end"), Ok(Until::End)));
        assert!(
            matches!(until("bin.000004:77"), Ok(Until::At(p)) if p == Position::at("bin.000004", 77))
        );
        assert!(matches!(until("2026-11-22T10:00:00Z"), Ok(Until::Time(1_795_341_600))));
        for wrong in ["", "bin.000004", ":4", "bin.000004:x"] {
            assert!(until(wrong).is_err(), "{wrong}");
        }
    }
}
