//! `sluice positions`: a server's log files, where the pipeline stands among them, and the position of a
//! time.

use std::fmt::Write as _;
use std::path::PathBuf;

use change::Position;

use super::Outcome;
use super::output::{Form, Output};
use super::pipelines;
use crate::error::{CommandError, HostError};
use crate::moment::{self, span};
use crate::positions::{self, File, Place, Report};
use crate::progress::megabytes;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The manifest of the pipeline, or a script
    manifest: PathBuf,
    /// Find the position before the first transaction at or behind this time, such as
    /// 2026-11-22T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<u64>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome, CommandError> {
    let manifests = pipelines::load(&args.manifest)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|source| HostError::Start { what: "the runtime", source })?;
    let mut output = Output::new();
    for manifest in &manifests {
        let report = runtime.block_on(positions::positions(manifest, args.at))?;
        match Form::of(args.json) {
            Form::Json => output.json(&report)?,
            Form::Text => {
                output.text(&pipelines::heading(manifest, &manifests))?;
                output.text(&as_text(&report, args.at))?;
            }
        }
    }
    output.finish()?;
    Ok(Outcome::Done)
}

fn as_text(report: &Report, at: Option<u64>) -> String {
    let server = &report.server;
    let mut text =
        format!("server     {} {} at {}\n", server.vendor, server.version, server.address);
    if let Some(end) = &server.position {
        line(&mut text, "end", &placed(end));
    }
    let kept = report.kept_seconds.map_or_else(|| "until somebody removes it".to_owned(), span);
    let size = report.kept_bytes.map(|bytes| format!(", and no more than {}", megabytes(bytes)));
    line(&mut text, "kept", &format!("{kept}{}", size.unwrap_or_default()));
    let width = report.files.iter().map(|file| file.file.chars().count()).max().unwrap_or(0);
    let files = report.files.iter().map(|file| listed(file, report.now_seconds, width));
    text.push_str("files\n");
    text.extend(files);
    let resume = report.resume.as_ref();
    line(&mut text, "pipeline", &resume.map_or_else(|| "has not begun".to_owned(), stands));
    if let (Some(position), Some(at)) = (&report.at, at) {
        line(&mut text, "at", &format!("{}  {}", moment::text(at), placed(position)));
    }
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name:10} {value}");
}

fn placed(position: &Position) -> String {
    let gtids = position.gtids.as_ref().map(|set| format!("  {set}"));
    format!("{position}{}", gtids.unwrap_or_default())
}

fn listed(file: &File, now_seconds: u64, width: usize) -> String {
    let age = span(now_seconds.saturating_sub(file.begun_seconds));
    let (name, size, begun) = (&file.file, megabytes(file.bytes), moment::text(file.begun_seconds));
    let removed = match file.removed_in_seconds {
        Some(0) => ", may be removed now".to_owned(),
        Some(seconds) => format!(", may be removed in {}", span(seconds)),
        None => String::new(),
    };
    let before = file.before.as_ref().map(|set| format!(", behind {set}")).unwrap_or_default();
    format!("  {name:width$}  {size:>12}  begun {begun}, {age} ago{removed}{before}\n")
}

fn stands(place: &Place) -> String {
    let position = placed(&place.position);
    let Some(file) = &place.file else {
        return format!("goes on behind {position}: the server does not have that any more");
    };
    let behind = place.bytes_behind.map(|bytes| format!(", {} behind", megabytes(bytes)));
    let removed = match place.removed_in_seconds {
        Some(0) => format!("; {file} may be removed now"),
        Some(seconds) => format!("; {file} may be removed in {}", span(seconds)),
        None => String::new(),
    };
    format!("goes on behind {position}{}{removed}", behind.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use binlog::{ServerFacts, Vendor};

    use super::*;

    fn report(resume: Option<Place>) -> Report {
        let server = ServerFacts {
            address: "db:3306".to_owned(),
            vendor: Vendor::Mysql,
            version: "9.7.0".to_owned(),
            identity: "here".to_owned(),
            server_id: 1,
            has_binlog: true,
            binlog_format: "ROW".to_owned(),
            binlog_row_image: "FULL".to_owned(),
            binlog_row_metadata: "FULL".to_owned(),
            gtid_mode: Some("ON".to_owned()),
            binlog_checksum: "CRC32".to_owned(),
            has_compression: false,
            has_partial_json: false,
            lower_case_table_names: 0,
            position: Some(Position::at("log.000002", 900)),
        };
        let file = |file: &str, bytes, begun_seconds, removed_in_seconds| File {
            file: file.to_owned(),
            bytes,
            begun_seconds,
            removed_in_seconds,
            before: "0-1-7".parse().ok(),
        };
        Report {
            server,
            now_seconds: 1_795_341_600,
            kept_seconds: Some(86_400 * 30),
            kept_bytes: None,
            files: vec![
                file("log.000001", 123_456_789, 1_795_241_600, Some(0)),
                file("log.000002", 900, 1_795_341_000, None),
            ],
            resume,
            at: Some(Position::at("log.000001", 55)),
        }
    }

    #[test]
    fn files_and_the_pipeline_s_place_are_told() {
        let place = Place {
            position: Position::at("log.000001", 400),
            file: Some("log.000001".to_owned()),
            removed_in_seconds: Some(0),
            bytes_behind: Some(123_000_000),
        };
        insta::assert_snapshot!(as_text(&report(Some(place)), Some(1_795_300_000)), @"
        server     MySQL 9.7.0 at db:3306
        end        log.000002:900
        kept       30 d
        files
          log.000001      123.4 MB  begun 2026-11-21T06:13:20Z, 1 d 3 h ago, may be removed now, behind 0-1-7
          log.000002        0.0 MB  begun 2026-11-22T09:50:00Z, 10 min ago, behind 0-1-7
        pipeline   goes on behind log.000001:400, 123.0 MB behind; log.000001 may be removed now
        at         2026-11-21T22:26:40Z  log.000001:55
        ");
        let gone = Place {
            position: Position::at("log.000000", 400),
            file: None,
            removed_in_seconds: None,
            bytes_behind: None,
        };
        let gone = as_text(&report(Some(gone)), None);
        assert!(gone.contains("behind log.000000:400: the server does not have that any more"));
        assert!(as_text(&report(None), None).contains("pipeline   has not begun\n"));
    }
}
