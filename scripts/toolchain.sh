#!/usr/bin/env bash
# What a build needs, checked before it starts, each with its remedy in one line; and the standard library for
# WebAssembly, fetched where it is missing. It never changes the Rust installation except by `rustup target add`.
#
#   toolchain.sh check    cargo, the pinned Rust and a C compiler are there
#   toolchain.sh wasm     prints the cargo arguments and environment, one NAME=VALUE or argument a line, that build for
#                         wasm32-unknown-unknown here: nothing where rustup gave the target, otherwise a build of std
#                         from Debian's rust-src
set -euo pipefail

TARGET=wasm32-unknown-unknown
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/rust-src
# Debian's package of the sources of the Rust that rust-toolchain.toml pins.
RUST=1.95.0
RUST_SRC_SUITE=trixie-backports
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

die() {
  echo "toolchain.sh: $*" >&2
  exit 1
}

check() {
  command -v cargo >/dev/null || die "cargo is missing: install Rust from https://rustup.rs"
  cargo --version >/dev/null 2>&1 || die "cargo does not start: run 'rustup toolchain install $RUST'"
  command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null ||
    die "a C compiler is missing: run 'apt-get install gcc libc6-dev' or your system's equivalent"
  command -v perl >/dev/null || die "perl is missing (OpenSSL's build asks for it): run 'apt-get install perl'"
  command -v make >/dev/null || die "make is missing: run 'apt-get install make'"
}

target_is_here() {
  [[ -d $(rustc --print sysroot)/lib/rustlib/$TARGET/lib ]]
}

wasm() {
  target_is_here && return
  if command -v rustup >/dev/null; then
    timeout 120 rustup target add $TARGET >&2 && target_is_here && return
    echo "toolchain.sh: rustup's server cannot be reached; building std for $TARGET from Debian's rust-src instead" >&2
  fi
  [[ -e $CACHE/.complete ]] || fetch_rust_src
  printf '%s\n' "RUSTC_BOOTSTRAP=1" "__CARGO_TESTS_ONLY_SRC_ROOT=$CACHE/usr/src/rustc-$RUST/library" \
    "-Zbuild-std=std,panic_abort"
}

fetch_rust_src() {
  [[ $(rustc --version) == "rustc $RUST "* ]] || die "the fallback needs rustc $RUST: run 'rustup toolchain install $RUST'"
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    die "the target $TARGET is missing and this system has no Debian packages: run 'rustup target add $TARGET' where rustup's server can be reached"
  local apt options
  apt=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$apt'" EXIT
  mkdir -p "$apt"/{lists/partial,cache/archives/partial}
  echo "deb [signed-by=$KEYRING] ${SLUICE_DEBIAN_MIRROR:-http://deb.debian.org/debian} $RUST_SRC_SUITE main" >"$apt/sources.list"
  : >"$apt/status"
  options=(-o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$apt"
    -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache"
    -o Acquire::Languages=none -o Acquire::Retries=3 -o Debug::NoLocking=1)
  [[ $(id -u) != 0 ]] || options+=(-o APT::Sandbox::User=root)
  apt-get "${options[@]}" -qq update >&2 || die "Debian's package list cannot be reached: check the network"
  local version
  version=$(apt-cache "${options[@]}" madison rust-src | awk -v v="$RUST+" 'index($3, v) == 1 {print $3; exit}')
  [[ -n $version ]] || die "Debian's $RUST_SRC_SUITE has no rust-src $RUST: run 'rustup target add $TARGET'"
  (cd "$apt" && apt-get "${options[@]}" -qq download "rust-src=$version" >&2) || die "rust-src could not be fetched"
  mkdir -p "$CACHE"
  dpkg-deb --fsys-tarfile "$apt"/rust-src_*.deb | tar -x --no-same-owner -C "$CACHE"
  touch "$CACHE/.complete"
}

case ${1:-} in
  check) check ;;
  wasm) wasm ;;
  *)
    sed -n '5,9s/^# *//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
