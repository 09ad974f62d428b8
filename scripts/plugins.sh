#!/usr/bin/env bash
# Builds the bundled plugins and the hostile test guests for WebAssembly and lays them under their plain names into
# target/plugins (filter.wasm, id-columns.wasm ..). A core module with its component type inside is what the host
# loads; no further tool is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

TARGET=wasm32-unknown-unknown
: "${CARGO_TARGET_DIR:=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/target}"
export CARGO_TARGET_DIR
out=target/plugins

# crates: the package of every folder below plugins, the guests that misbehave, and the benchmark's
crates() {
  local manifest
  for manifest in plugins/*/Cargo.toml tests/guests/Cargo.toml tests/bench/guest/Cargo.toml; do
    awk -F'"' '/^name = /{print $2; exit}' "$manifest"
  done
}

# The way to std for this target: empty where rustup has it.
environment=() arguments=()
while read -r line; do
  case $line in
    -*) arguments+=("$line") ;;
    ?*) environment+=("$line") ;;
  esac
done < <(scripts/toolchain.sh wasm)

packages=()
while read -r crate; do packages+=(--package "$crate"); done < <(crates)
env "${environment[@]}" cargo build --locked --lib --target $TARGET --profile plugin "${arguments[@]}" "${packages[@]}"

mkdir -p "$out"
while read -r crate; do
  built=$CARGO_TARGET_DIR/$TARGET/plugin/${crate//-/_}.wasm
  plain=${crate#sluice-plugin-}
  plain=${plain#sluice-test-}
  # The same bytes stay untouched: the host's cache of compiled plugins goes by content, `make` by time.
  cmp -s "$built" "$out/$plain.wasm" || cp "$built" "$out/$plain.wasm"
done < <(crates)
