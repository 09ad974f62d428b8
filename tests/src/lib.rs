//! What the tests stand on: real servers, the real binary, real readers, the comparison with what a server says, and
//! the rules of the checkout's text. Nothing here knows how the host works inside.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what stands below a test fails it with a message"
)]

pub mod checkout;
pub mod fast_clock;
pub mod host;
pub mod manifest;
pub mod markers;
pub mod oracle;
pub mod proxy;
pub mod readers;
pub mod servers;
pub mod shop;
pub mod sql;
pub mod tidy;
pub mod workload;

/// Prints what a test counted, past the harness: it shows what a test that failed printed, and nothing of the others.
pub fn report(line: &str) {
    use std::io::Write as _;
    // A closed standard error takes nothing, and nobody reads it.
    let _ = writeln!(std::io::stderr(), "{line}");
}
