//! The fuzzer: libFuzzer's loop around one target, chosen by `SLUICE_FUZZ_TARGET` (scripts/fuzz.sh).
//!
//! Its allocator stops the process where one allocation is far larger than any input could ask for: a length was
//! believed before it was checked.

#![no_main]
#![expect(
    clippy::print_stderr,
    reason = "a program for a terminal; the fuzzer's own words go there as well"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::LazyLock;

use sluice_fuzz::{SEEDS_VARIABLE, TARGET_VARIABLE, Target, named, write_seeds};

/// Inputs have some kilobytes, batches some megabytes at most.
const ALLOCATION_BYTES_MAX: usize = 64 << 20;

struct Watched;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its nature; this one hands everything on"
)]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        watch(layout.size());
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        watch(layout.size());
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        watch(bytes);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.realloc(at, layout, bytes) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Aborts, which the fuzzer takes for a finding; a panic would allocate again.
fn watch(bytes: usize) {
    if bytes > ALLOCATION_BYTES_MAX {
        std::process::abort();
    }
}

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var(TARGET_VARIABLE).unwrap_or_default();
    named(&name).unwrap_or_else(|| {
        eprintln!("fuzz: {TARGET_VARIABLE} names no target (`{name}`): run scripts/fuzz.sh");
        std::process::exit(2)
    })
});

libfuzzer_sys::fuzz_target!(
    init: {
        let target = LazyLock::force(&TARGET);
        if let Some(folder) = std::env::var_os(SEEDS_VARIABLE)
            && let Err(error) = write_seeds(target.name, Path::new(&folder))
        {
            eprintln!("fuzz: the seeds cannot be written: {error}");
            std::process::exit(2);
        }
    },
    |bytes: &[u8]| {
        (TARGET.run)(bytes);
    }
);
