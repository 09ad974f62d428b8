//! Modules whose language brings WASI preview 1 along, against the answers that they get.

use std::sync::{Arc, Mutex};

use crate::component::{TRANSFORM, load};
use crate::guest::Guest;
use crate::instance::{ConfigureFailure, Prepared};
use crate::{Engine, EngineOptions, Limits, LogLevel};

/// Logs the clock, a random byte, the answer of `path_open` and a printed line, in `configure`.
fn asking() -> Guest {
    let extra = r#"
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (data (i32.const 2000) "\d8\07\00\00\0a\00\00\00")
  (data (i32.const 2008) "________!\0a")
  (func $digit (param $at i32) (param $value i32)
    (i32.store8 (local.get $at) (i32.add (i32.const 97) (i32.and (local.get $value) (i32.const 15)))))
  (func $print
    (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 3000)))
    (call $digit (i32.const 2008) (i32.div_u (i32.load (i32.const 3000)) (i32.const 1000)))
    (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 3000)))
    (call $digit (i32.const 2009) (i32.div_u (i32.load (i32.const 3000)) (i32.const 1000)))
    (drop (call $random (i32.const 3000) (i32.const 2)))
    (call $digit (i32.const 2010) (i32.load8_u (i32.const 3000)))
    (call $digit (i32.const 2011) (i32.load8_u (i32.const 3001)))
    (call $digit (i32.const 2012) (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0)
      (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 3000)))
    (drop (call $write (i32.const 1) (i32.const 2000) (i32.const 1) (i32.const 3000))))"#;
    Guest { extra: extra.to_owned(), ..Guest::filter() }
}

/// The lines of two calls of `configure` in one instance and one in another.
fn lines(module: &str) -> Vec<(LogLevel, String)> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let logs: crate::LogSink =
        Arc::new(move |line| sink.lock().expect("not poisoned").push((line.level, line.message)));
    let options = EngineOptions { logs: Some(logs), ..EngineOptions::default() };
    let engine = Engine::new(options).expect("an engine");
    let name: Arc<str> = "p".into();
    let module = wat::parse_str(module).expect("text");
    let loaded = load(&engine, &name, &module, None).expect("a plugin");
    let prepared = Prepared::new(&engine, &name, &loaded, Limits::default());
    for calls in [2, 1] {
        let mut instance = prepared.instantiate().expect("an instance");
        for _ in 0..calls {
            match instance.configure("{}", &[]) {
                Ok(()) => {}
                Err(ConfigureFailure::Guest(failure)) => panic!("{failure}"),
                Err(ConfigureFailure::Problems(_)) => panic!("problems"),
            }
        }
    }
    std::mem::take(&mut lines.lock().expect("not poisoned"))
}

#[test]
fn every_call_sees_the_same_clock_and_random_bytes_and_what_it_prints_is_a_log_line() {
    let guest = asking();
    let (imports, rest) = guest.extra.split_once("  (data").expect("imports first");
    let text = guest.text().replace(&guest.extra, &format!("  (data{rest}"));
    let text = text.replacen("(module", &format!("(module {imports}"), 1);
    let configure = format!(
        "(export \"{TRANSFORM}#configure\")\n    (param i32 i32 i32 i32 i64 i32 i64) (result i32)"
    );
    let text = text.replace(&configure, &format!("{configure} (call $print)"));
    let lines = lines(&text);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.iter().all(|line| *line == lines[0]), "{lines:?}");
    let (level, line) = &lines[0];
    assert_eq!(*level, LogLevel::Info);
    // The first query is one step, the second two; 76 = not capable.
    assert!(line.starts_with("bc") && line.get(4..5) == Some("m"), "{line}");
}
