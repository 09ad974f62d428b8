//! The functions of the interface, and the ways in which they do not return.

use std::cell::{Cell, RefCell};
use std::hint::black_box;

use crate::answer;

pub(crate) mod bindings {
    //! Generated from `wit/transform.wit`.
    #![allow(
        missing_docs,
        unsafe_code,
        unreachable_pub,
        unused_qualifications,
        clippy::all,
        reason = "generated code; which lints it trips changes with the generator"
    )]

    wit_bindgen::generate!({ path: "../../wit", world: "transformer" });
}

use bindings::exports::sluice::transform::transform::{
    Attachment, Column, ConfigError, Edit, Failure, Guest, Limits, PluginInfo, Problem,
    TableDecision, TableSchema,
};
use bindings::sluice::transform::logging::{Level, log};

thread_local! {
    /// What it is told to do.
    static BEHAVIOUR: RefCell<String> = const { RefCell::new(String::new()) };
    /// How many tables this instance has planned.
    static PLANS: Cell<u32> = const { Cell::new(0) };
}

/// The plugin.
pub(crate) struct Hostile;

mod exported {
    //! The component's functions, by the names of the canonical ABI.
    #![expect(unsafe_code, reason = "the macro writes the exports of the component")]

    use super::{Hostile, bindings};

    bindings::export!(Hostile with_types_in bindings);
}

fn is_told(what: &str) -> bool {
    BEHAVIOUR.with_borrow(|told| told == what)
}

impl Guest for Hostile {
    fn describe() -> PluginInfo {
        PluginInfo {
            name: "hostile".to_owned(),
            version: "0.1.0".to_owned(),
            config_schema: None,
            properties: Vec::new(),
        }
    }

    fn configure(config: String, _: Vec<Attachment>, _: Limits) -> Result<(), ConfigError> {
        let config: serde_json::Value = serde_json::from_str(&config).unwrap_or_default();
        let told = config.get("do").and_then(|told| told.as_str()).unwrap_or_default().to_owned();
        BEHAVIOUR.set(told);
        stop("configure");
        if is_told("refuse") {
            let problem = Problem { path: "/do".to_owned(), message: "no".to_owned() };
            return Err(ConfigError { problems: vec![problem] });
        }
        Ok(())
    }

    fn plan(_: u32, table: TableSchema) -> Result<TableDecision, Failure> {
        stop("plan");
        PLANS.set(PLANS.get() + 1);
        BEHAVIOUR.with_borrow(|told| answer::plan(told, &table, PLANS.get()))
    }

    fn process(_: u32, rows: u32, columns: Vec<Column>) -> Result<Edit, Failure> {
        stop("process");
        let values: Vec<i32> = columns.first().map(answer::integers).unwrap_or_default();
        let poisoned = values.contains(&13);
        if is_told("trap-on-13") && poisoned {
            unreachable();
        }
        if is_told("spin-on-13") && poisoned {
            spin();
        }
        BEHAVIOUR.with_borrow(|told| answer::edit(told, rows, &values))
    }

    fn release(_: u32) {
        stop("release");
    }
}

/// Does not return, where that is what it is told to do in this function.
fn stop(function: &str) {
    if !BEHAVIOUR.with_borrow(|told| told.ends_with(&format!("-in-{function}"))) {
        return;
    }
    BEHAVIOUR.with_borrow(|told| match told.split('-').next().unwrap_or_default() {
        "spin" => spin(),
        "trap" => unreachable(),
        "recurse" => drop(black_box(recurse(1))),
        "grow" => grow(),
        "flood" => flood(),
        _ => {}
    });
}

fn spin() {
    loop {
        black_box(());
    }
}

fn unreachable() {
    log(Level::Error, "the guest's own last words");
    core::arch::wasm32::unreachable()
}

fn recurse(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX {
        return 0;
    }
    let local = black_box([depth; 64]);
    recurse(depth + 1) + local.iter().sum::<u64>()
}

fn grow() {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(black_box(vec![1; 1 << 20]));
    }
}

fn flood() {
    let line = "x".repeat(10_000);
    for _ in 0..1_000 {
        log(Level::Info, &line);
    }
}
