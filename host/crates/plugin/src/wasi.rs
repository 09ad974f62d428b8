//! What a plugin gets where its language brings WASI along: a clock that stands at 1970-01-01 and advances by a fixed
//! step a query, the same random bytes in every call, and log lines for what it prints.
//!
//! Nothing here may ask the outside world for anything: an answer depends on the calls before it in the same call of the
//! plugin alone. Files, sockets and HTTP are not here; who imports them is refused at load.

mod preview1;

use wasmtime::component::{HasSelf, Linker, Resource};

use crate::instance::HostState;

pub(crate) use self::preview1::{ADAPTED, ANSWERS, adapter};

mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "sluice:language/language",
        imports: { default: trappable },
        with: {
            "wasi:io/error.error": super::Nothing,
            "wasi:io/poll.pollable": super::Nothing,
            "wasi:io/streams.input-stream": super::Nothing,
            "wasi:io/streams.output-stream": super::Nothing,
            "wasi:cli/terminal-input.terminal-input": super::Nothing,
            "wasi:cli/terminal-output.terminal-output": super::Nothing,
        },
    });
}

use generated::sluice::preview1::stdio;
use generated::wasi::cli;
use generated::wasi::clocks::{monotonic_clock, wall_clock};
use generated::wasi::io::streams::StreamError;
use generated::wasi::io::{error, poll, streams};
use generated::wasi::random::{insecure, insecure_seed, random};

/// The interfaces of WASI that are answered, whatever their 0.2 release.
const ANSWERED: [&str; 18] = [
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
];

/// How far the clock advances with each query.
const CLOCK_STEP_NS: u64 = 1_000;

/// What the random bytes start from.
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// Random bytes that one query may ask for: enough for any seed, and no way to fill the host's memory.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// Bytes that one write may have (WASI, `check-write`).
const WRITE_BYTES_MAX: u64 = 4096;

/// The handle of standard error; standard output has another one.
const STDERR: u32 = 2;
const STDOUT: u32 = 1;

/// A resource without a state: its number is all there is.
#[expect(unreachable_pub, reason = "the bindings, a module of their own, export it again")]
pub enum Nothing {}

/// Whether an import is WASI that the host answers.
pub(crate) fn is_answered(interface: &str) -> bool {
    let (name, version) = interface.split_once('@').unwrap_or((interface, ""));
    ANSWERED.contains(&name) && version.starts_with("0.2.")
}

/// Makes the answers known to a linker.
pub(crate) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    generated::Language::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
}

/// Clock and random bytes of one instance.
pub(crate) struct Answers {
    clock_ns: u64,
    random: u64,
}

impl Default for Answers {
    fn default() -> Self {
        Self { clock_ns: 0, random: SEED }
    }
}

impl Answers {
    fn time_ns(&mut self) -> u64 {
        self.clock_ns = self.clock_ns.saturating_add(CLOCK_STEP_NS);
        self.clock_ns
    }

    /// xorshift64*.
    fn random(&mut self) -> u64 {
        let mut x = self.random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random = x;
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        if len > RANDOM_BYTES_MAX {
            return Err(wasmtime::Error::msg("more random bytes than a plugin gets"));
        }
        Ok((0..len).map(|_| self.random().to_be_bytes()[0]).collect())
    }
}

impl stdio::Host for HostState {
    fn write(&mut self, is_error: bool, bytes: Vec<u8>) -> wasmtime::Result<()> {
        self.logs.print(is_error, &bytes);
        Ok(())
    }
}

impl error::Host for HostState {}

impl error::HostError for HostState {
    fn to_debug_string(&mut self, _: Resource<Nothing>) -> wasmtime::Result<String> {
        Ok("error".to_owned())
    }

    fn drop(&mut self, _: Resource<Nothing>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl poll::Host for HostState {
    fn poll(&mut self, all: Vec<Resource<Nothing>>) -> wasmtime::Result<Vec<u32>> {
        if all.is_empty() {
            return Err(wasmtime::Error::msg("poll of nothing"));
        }
        Ok((0_u32..).zip(all).map(|(at, _)| at).collect())
    }
}

impl poll::HostPollable for HostState {
    fn ready(&mut self, _: Resource<Nothing>) -> wasmtime::Result<bool> {
        Ok(true)
    }

    fn block(&mut self, _: Resource<Nothing>) -> wasmtime::Result<()> {
        Ok(())
    }

    fn drop(&mut self, _: Resource<Nothing>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl streams::Host for HostState {}

impl streams::HostInputStream for HostState {
    fn read(
        &mut self,
        _: Resource<Nothing>,
        _: u64,
    ) -> wasmtime::Result<Result<Vec<u8>, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn blocking_read(
        &mut self,
        _: Resource<Nothing>,
        _: u64,
    ) -> wasmtime::Result<Result<Vec<u8>, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn skip(&mut self, _: Resource<Nothing>, _: u64) -> wasmtime::Result<Result<u64, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn blocking_skip(
        &mut self,
        _: Resource<Nothing>,
        _: u64,
    ) -> wasmtime::Result<Result<u64, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn subscribe(&mut self, _: Resource<Nothing>) -> wasmtime::Result<Resource<Nothing>> {
        Ok(Resource::new_own(0))
    }

    fn drop(&mut self, _: Resource<Nothing>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl streams::HostOutputStream for HostState {
    fn check_write(&mut self, _: Resource<Nothing>) -> wasmtime::Result<Result<u64, StreamError>> {
        Ok(Ok(WRITE_BYTES_MAX))
    }

    fn write(
        &mut self,
        stream: Resource<Nothing>,
        contents: Vec<u8>,
    ) -> wasmtime::Result<Result<(), StreamError>> {
        self.logs.print(stream.rep() == STDERR, &contents);
        Ok(Ok(()))
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<Nothing>,
        contents: Vec<u8>,
    ) -> wasmtime::Result<Result<(), StreamError>> {
        self.write(stream, contents)
    }

    fn flush(&mut self, _: Resource<Nothing>) -> wasmtime::Result<Result<(), StreamError>> {
        Ok(Ok(()))
    }

    fn blocking_flush(
        &mut self,
        _: Resource<Nothing>,
    ) -> wasmtime::Result<Result<(), StreamError>> {
        Ok(Ok(()))
    }

    fn subscribe(&mut self, _: Resource<Nothing>) -> wasmtime::Result<Resource<Nothing>> {
        Ok(Resource::new_own(0))
    }

    fn write_zeroes(
        &mut self,
        _: Resource<Nothing>,
        _: u64,
    ) -> wasmtime::Result<Result<(), StreamError>> {
        Ok(Ok(()))
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        _: Resource<Nothing>,
        _: u64,
    ) -> wasmtime::Result<Result<(), StreamError>> {
        Ok(Ok(()))
    }

    fn splice(
        &mut self,
        _: Resource<Nothing>,
        _: Resource<Nothing>,
        _: u64,
    ) -> wasmtime::Result<Result<u64, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn blocking_splice(
        &mut self,
        _: Resource<Nothing>,
        _: Resource<Nothing>,
        _: u64,
    ) -> wasmtime::Result<Result<u64, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn drop(&mut self, _: Resource<Nothing>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl cli::environment::Host for HostState {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

impl cli::exit::Host for HostState {
    fn exit(&mut self, _: Result<(), ()>) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg("the plugin ended itself"))
    }
}

impl cli::stdin::Host for HostState {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<Nothing>> {
        Ok(Resource::new_own(0))
    }
}

impl cli::stdout::Host for HostState {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<Nothing>> {
        Ok(Resource::new_own(STDOUT))
    }
}

impl cli::stderr::Host for HostState {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<Nothing>> {
        Ok(Resource::new_own(STDERR))
    }
}

impl cli::terminal_input::Host for HostState {}

impl cli::terminal_input::HostTerminalInput for HostState {
    fn drop(&mut self, _: Resource<Nothing>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl cli::terminal_output::Host for HostState {}

impl cli::terminal_output::HostTerminalOutput for HostState {
    fn drop(&mut self, _: Resource<Nothing>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl cli::terminal_stdin::Host for HostState {
    fn get_terminal_stdin(&mut self) -> wasmtime::Result<Option<Resource<Nothing>>> {
        Ok(None)
    }
}

impl cli::terminal_stdout::Host for HostState {
    fn get_terminal_stdout(&mut self) -> wasmtime::Result<Option<Resource<Nothing>>> {
        Ok(None)
    }
}

impl cli::terminal_stderr::Host for HostState {
    fn get_terminal_stderr(&mut self) -> wasmtime::Result<Option<Resource<Nothing>>> {
        Ok(None)
    }
}

impl monotonic_clock::Host for HostState {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.answers.time_ns())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(CLOCK_STEP_NS)
    }

    fn subscribe_instant(&mut self, _: u64) -> wasmtime::Result<Resource<Nothing>> {
        Ok(Resource::new_own(0))
    }

    fn subscribe_duration(&mut self, _: u64) -> wasmtime::Result<Resource<Nothing>> {
        Ok(Resource::new_own(0))
    }
}

/// Nanoseconds since 1970 as WASI has them.
fn datetime(ns: u64) -> wall_clock::Datetime {
    const SECOND_NS: u64 = 1_000_000_000;
    let nanoseconds = u32::try_from(ns % SECOND_NS).unwrap_or_default();
    wall_clock::Datetime { seconds: ns / SECOND_NS, nanoseconds }
}

impl wall_clock::Host for HostState {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(datetime(self.answers.time_ns()))
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(datetime(CLOCK_STEP_NS))
    }
}

impl random::Host for HostState {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.answers.bytes(len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.answers.random())
    }
}

impl insecure::Host for HostState {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.answers.bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.answers.random())
    }
}

impl insecure_seed::Host for HostState {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((self.answers.random(), self.answers.random()))
    }
}

#[cfg(test)]
mod tests;
