//! The real binary: run to its end, or in the background; stopped, killed, killed at a named step.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::fast_clock;
use crate::servers::signal;

/// A run that takes longer hangs: the slowest takes a tenth of it on a loaded machine.
const RUN_MAX: Duration = Duration::from_secs(180);

/// The binary under test: `SLUICE_BIN`, otherwise the one that cargo laid beside the tests.
///
/// # Panics
/// Where it is not there, with the command that builds it.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("SLUICE_BIN") {
        return named.into();
    }
    let tests = std::env::current_exe().expect("the path of the tests");
    let path = tests.ancestors().nth(2).map(|profile| profile.join("sluice")).unwrap_or_default();
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build -p sluice` or `make test`",
        path.display()
    );
    path
}

/// A call of the binary, to be run.
#[derive(Debug)]
pub struct Call {
    command: Command,
}

/// What a run that ended left.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed as data.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

/// A run in the background; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    started: Instant,
    lines: Receiver<Line>,
    stdout: String,
    stderr: String,
}

#[derive(Debug)]
enum Line {
    Out(String),
    Err(String),
}

/// A call with these arguments; colours and progress bars are off, the log tells what the host does.
pub fn sluice<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Call {
    let mut command = Command::new(binary());
    command.args(arguments).env("NO_COLOR", "1").env_remove("SLUICE_LOG").env_remove("CI");
    Call { command }
}

impl Call {
    /// Runs in this folder.
    #[must_use]
    pub fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// With one more argument.
    #[must_use]
    pub fn and(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    /// With this environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Kills itself with SIGKILL when it passes a named step for the `n`th time, counted from 1.
    #[must_use]
    pub fn killed_at(self, marker: &str, n: u32) -> Self {
        self.with("SLUICE_KILL_AT", format!("{marker}#{n}"))
    }

    /// With a wall clock on which minutes pass while it works: a millisecond is two.
    #[must_use]
    pub fn hurried(self) -> Self {
        self.with("LD_PRELOAD", fast_clock::library()).with("SLUICE_TEST_CLOCK_SPEED", "120000")
    }

    /// Starts it in the background.
    ///
    /// # Panics
    /// Where the binary cannot be started.
    #[must_use]
    pub fn start(mut self) -> Running {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the binary starts");
        let (sender, lines) = channel();
        let (stdout, stderr): (Option<ChildStdout>, Option<ChildStderr>) =
            (child.stdout.take(), child.stderr.take());
        forward(stdout, sender.clone(), Line::Out);
        forward(stderr, sender, Line::Err);
        Running {
            child,
            started: Instant::now(),
            lines,
            stdout: String::new(),
            stderr: String::new(),
        }
    }

    /// Runs it to its end with a standard output that nobody reads, and gives the exit code.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn without_reader(mut self) -> Option<i32> {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        self.command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
        self.command.status().expect("the binary starts").code()
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Where it does not end in time.
    #[must_use]
    pub fn run(self) -> Outcome {
        self.start().end()
    }
}

fn forward(
    stream: Option<impl Read + Send + 'static>,
    lines: Sender<Line>,
    wrap: fn(String) -> Line,
) {
    let Some(stream) = stream else { return };
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if lines.send(wrap(text)).is_err() {
                return;
            }
            line.clear();
        }
    });
}

impl Running {
    /// Waits for its end.
    ///
    /// # Panics
    /// Where it does not end in time.
    #[must_use]
    pub fn end(mut self) -> Outcome {
        while let Some(line) = self.next_line() {
            self.keep(line);
        }
        let status = self.child.wait().expect("it can be waited for");
        Outcome {
            code: status.code(),
            signal: status.signal(),
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
            took: self.started.elapsed(),
        }
    }

    /// Waits until it says a line with this text.
    ///
    /// # Panics
    /// Where it ends or is silent for too long before.
    pub fn wait_for(&mut self, text: &str) {
        while let Some(line) = self.next_line() {
            let found = matches!(&line, Line::Out(l) | Line::Err(l) if l.contains(text));
            self.keep(line);
            if found {
                return;
            }
        }
        panic!("it ended without saying `{text}`:\n{}{}", self.stdout, self.stderr);
    }

    /// Asks it to stop, as Ctrl-C does.
    pub fn interrupt(&self) {
        signal(&self.child.id().to_string(), "INT");
    }

    fn keep(&mut self, line: Line) {
        match line {
            Line::Out(line) => self.stdout.push_str(&line),
            Line::Err(line) => self.stderr.push_str(&line),
        }
    }

    fn next_line(&mut self) -> Option<Line> {
        let left = RUN_MAX.saturating_sub(self.started.elapsed());
        match self.lines.recv_timeout(left) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                drop(self.child.kill());
                panic!("it did not end within {RUN_MAX:?}:\n{}{}", self.stdout, self.stderr)
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Outcome {
    /// The run ended well.
    ///
    /// # Panics
    /// Otherwise, with all that it said.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "signal {:?}\n{}{}", self.signal, self.stdout, self.stderr);
        self
    }

    /// The run ended with this code and said each of these texts, on one of its lines at least.
    ///
    /// # Panics
    /// Otherwise, with all that it said; a panic's trace never counts as a message.
    #[track_caller]
    pub fn failed(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "signal {:?}\n{}{}",
            self.signal,
            self.stdout,
            self.stderr
        );
        assert!(!self.stderr.contains("panicked"), "it panicked:\n{}", self.stderr);
        for text in texts {
            let found = self.stderr.contains(text) || self.stdout.contains(text);
            assert!(found, "nothing says `{text}`:\n{}{}", self.stdout, self.stderr);
        }
        self
    }

    /// Whether SIGKILL ended it.
    #[must_use]
    pub fn was_killed(&self) -> bool {
        self.signal == Some(9)
    }
}
