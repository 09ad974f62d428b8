#!/usr/bin/env bash
# rustc for the crates of this workspace when they are fuzzed: the same call, with the counters in the code that tell
# libFuzzer which branches an input took (LLVM's SanitizerCoverage, as `cargo fuzz` sets it up, on the stable compiler).
# Cargo runs it as RUSTC_WORKSPACE_WRAPPER, so the dependencies are those of every other build.
set -euo pipefail

exec "$@" \
  -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
