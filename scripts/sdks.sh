#!/usr/bin/env bash
# The plugin SDKs of all languages: fetches their tools into the cache folder, runs their unit tests, builds their plugins
# into target/plugins/sdk, and has `sluice test` compare what the plugins make of the recorded shop. No root is needed; a
# language that cannot be built here ends with what it needs.
#
#   sdks.sh check [LANGUAGE..]     all of it, for all languages or these (rust go c js python)
#   sdks.sh tool LANGUAGE          fetches the tools of a language and prints how to call them
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

: "${CARGO_TARGET_DIR:=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/target}"
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/sdks
LANGUAGES=(rust go c js python)
# The versions that the SDKs were written against.
GO=1.26.0
GO_LEAST=1.24
ZIG=0.17.1
COMPONENTIZE_JS=componentize-qjs@0.4.5
COMPONENTIZE_PY=componentize-py==0.25.1
out=$root/target/plugins/sdk
# Of the first forty images of the recorded customers these are of other countries than the one that is kept.
FIRST_PLUGIN_DROPS=36

die() {
  echo "sdks.sh: $*" >&2
  exit 1
}

say() { echo "== $*"; }

# once NAME COMMAND..: runs a command that fills $CACHE/NAME, unless it was done before.
once() {
  local name=$1 folder=$CACHE/$1
  shift
  [[ ! -e $folder/.complete ]] || return 0
  mkdir -p "$CACHE"
  exec 8>"$CACHE/.lock"
  flock 8
  if [[ ! -e $folder/.complete ]]; then
    echo "sdks.sh: fetching $name into $CACHE (once)" >&2
    rm -rf "$folder"
    mkdir -p "$folder"
    "$@" "$folder" >&2
    touch "$folder/.complete"
  fi
  exec 8>&-
}

need() {
  command -v "$1" >/dev/null || die "$2 needs $1, which is missing: $3"
}

fetch_go() {
  need curl Go "run 'apt-get install curl', or install Go $GO_LEAST from https://go.dev/dl"
  need python3 Go "run 'apt-get install python3', or install Go $GO_LEAST from https://go.dev/dl"
  local machine
  machine=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
  curl --fail --silent --show-error --location --retry 3 --output "$1/go.zip" \
    "${GO_PROXY:-https://proxy.golang.org}/golang.org/toolchain/@v/v0.0.1-go$GO.linux-$machine.zip" ||
    die "Go $GO cannot be fetched from the modules proxy: install Go $GO_LEAST from https://go.dev/dl"
  python3 -m zipfile -e "$1/go.zip" "$1"
  mv "$1"/golang.org/toolchain@*/* "$1"
  rm -rf "$1/go.zip" "$1/golang.org"
  chmod -R u+x "$1/bin" "$1/pkg/tool"
}

# Go that is here and new enough, otherwise the toolchain from the modules proxy.
go_tool() {
  local version
  if version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) &&
    [[ $(printf '%s\n' "go$GO_LEAST" "$version" | sort -V | head -1) == "go$GO_LEAST" ]]; then
    command -v go
    return
  fi
  once "go-$GO" fetch_go
  echo "$CACHE/go-$GO/bin/go"
}

from_pypi() {
  local package=$1 folder=$2
  need python3 "$package" "run 'apt-get install python3 python3-venv'"
  python3 -m venv "$folder" || die "python's venv is missing: run 'apt-get install python3-venv'"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$package" ||
    die "$package cannot be fetched: check that the package index can be reached"
}

# Zig is clang with everything that a WebAssembly plugin in C needs, in one package.
c_tool() {
  once "zig-$ZIG" from_pypi "ziglang==$ZIG"
  echo "$CACHE/zig-$ZIG/bin/python -m ziglang cc"
}

fetch_js() {
  need npm JavaScript "run 'apt-get install nodejs npm'"
  npm install --silent --no-audit --no-fund --prefix "$1" "$COMPONENTIZE_JS" typescript@5.9.3 ||
    die "$COMPONENTIZE_JS cannot be fetched: check that npm's registry can be reached"
}

js_tool() {
  need node JavaScript "run 'apt-get install nodejs npm'"
  once "js-${COMPONENTIZE_JS#*@}" fetch_js
  echo "$CACHE/js-${COMPONENTIZE_JS#*@}/node_modules"
}

python_tool() {
  once "python-${COMPONENTIZE_PY#*==}" from_pypi "$COMPONENTIZE_PY"
  echo "$CACHE/python-${COMPONENTIZE_PY#*==}/bin/componentize-py"
}

# put FROM TO: the same bytes stay untouched, so that the cache of compiled plugins keeps them.
put() {
  mkdir -p "$(dirname "$2")"
  cmp -s "$1" "$2" || cp "$1" "$2"
}

build_rust() {
  scripts/plugins.sh
  put target/plugins/pii-mask-and-filter.wasm "$out/pii-mask-and-filter-rust.wasm"
}

build_go() {
  local go built=$root/target/sdks/go
  go=$(go_tool)
  mkdir -p "$built"
  (
    cd guest-sdk/go
    export GOTOOLCHAIN=local GOFLAGS=
    "$go" vet ./...
    "$go" test ./...
    GOOS=wasip1 GOARCH=wasm "$go" build -buildmode=c-shared -trimpath -buildvcs=false -ldflags="-s -w" \
      -o "$built/pii.wasm" ./plugins/pii-mask-and-filter
  )
  put "$built/pii.wasm" "$out/pii-mask-and-filter-go.wasm"
}

build_c() {
  local cc built=$root/target/sdks/c
  cc=$(c_tool)
  mkdir -p "$built"
  (
    cd guest-sdk/c
    $cc -Wall -Wextra -Werror -O1 -I. sluice.c sluice_json.c tests/sdk_test.c -o "$built/sdk_test"
    "$built/sdk_test"
    $cc -target wasm32-wasi -mexec-model=reactor -O3 -Wall -Wextra -Werror -I. -Wl,--strip-all,--gc-sections sluice.c \
      sluice_json.c sluice_abi.c bindings/transformer.c plugins/pii-mask-and-filter/*.c -o "$built/pii.wasm"
  )
  put "$built/pii.wasm" "$out/pii-mask-and-filter-c.wasm"
}

build_js() {
  local modules built=$root/target/sdks/js
  modules=$(js_tool)
  mkdir -p "$built"
  (
    cd guest-sdk/js
    node --test --test-reporter=dot tests plugins
    "$modules/.bin/tsc" --project tests/tsconfig.json
    node "$modules/componentize-qjs/cli.mjs" --wit ../../wit/transform.wit --world transformer --sync --stub-wasi \
      --module-root . --js plugins/pii-mask-and-filter/main.js --output "$built/pii.wasm" >/dev/null
  )
  put "$built/pii.wasm" "$out/pii-mask-and-filter-js.wasm"
}

build_python() {
  local componentize built=$root/target/sdks/python
  componentize=$(python_tool)
  mkdir -p "$built"
  (
    cd guest-sdk/python
    PYTHONDONTWRITEBYTECODE=1 python3 -m unittest discover --quiet --start-directory tests
    "$componentize" -d ../../wit/transform.wit -w transformer componentize --stub-wasi -p . -p plugins/pii_mask_and_filter \
      app -o "$built/pii.wasm" >/dev/null
  )
  put "$built/pii.wasm" "$out/pii-mask-and-filter-python.wasm"
}

# The same recorded shop through each language's plugin: the tables have to be those of guest-sdk/conformance.
compare() {
  local language cases=$root/target/sdks/cases from=guest-sdk/conformance/pii-mask-and-filter
  rm -rf "$cases"
  for language in "$@"; do
    mkdir -p "$cases/pii-$language"
    cp -r "$from/expected" "$cases/pii-$language/"
    sed "s|@PLUGIN@|$out/pii-mask-and-filter-$language.wasm|" "$from/sluice.toml" >"$cases/pii-$language/sluice.toml"
    sed "s|@ROOT@|$root|" "$from/case.toml" >"$cases/pii-$language/case.toml"
  done
  "${SLUICE_BIN:-$CARGO_TARGET_DIR/debug/sluice}" test "$cases"
}

# What docs/guide/first-plugin.md says, from nothing to rows: a new plugin, its tests, its build, a look at what it does.
first_plugin() {
  local language=$1 folder=$root/target/sdks/new/keep-$1 sluice=${SLUICE_BIN:-$CARGO_TARGET_DIR/debug/sluice} started=$SECONDS
  rm -rf "$folder"
  "$sluice" plugin new --lang "$language" "$folder" >/dev/null
  (
    cd "$folder"
    # The tools that were fetched, where the page installs them into the plugin's folder.
    case $language in
      rust)
        cp "$root/rust-toolchain.toml" .
        # As scripts/plugins.sh: std is built where this machine has no target from rustup.
        while read -r line; do
          case $line in
            -Zbuild-std=*) export CARGO_UNSTABLE_BUILD_STD=${line#*=} ;;
            ?*) export "${line?}" ;;
          esac
        done < <("$root/scripts/toolchain.sh" wasm)
        env -u CARGO_UNSTABLE_BUILD_STD cargo test --quiet --target-dir build/target
        ;;
      go)
        PATH=$(dirname "$(cd "$root" && go_tool)"):$PATH
        go test ./...
        ;;
      c) ln -s "$CACHE/zig-$ZIG" .venv ;;
      js)
        ln -s "$(cd "$root" && js_tool)" node_modules
        node --test --test-reporter=dot plugin.test.js
        ;;
      python)
        ln -s "$CACHE/python-${COMPONENTIZE_PY#*==}" .venv
        PYTHONDONTWRITEBYTECODE=1 python3 -m unittest --quiet
        ;;
    esac
    "$sluice" plugin build >/dev/null
    "$sluice" plugin try "keep-$language.wasm" "$root/examples/quickstart/log/shop-bin.000001" --table shop.customers \
      --config '{"column": "country", "value": "SE"}' --rows 40 --json >tried.jsonl
    [[ $(grep -c '"out":null' tried.jsonl) == "$FIRST_PLUGIN_DROPS" ]] || die "the new plugin in $language keeps other rows"
  )
  echo "a first plugin in $language: $((SECONDS - started)) s"
}

check() {
  [[ $# -gt 0 ]] || set -- "${LANGUAGES[@]}"
  local language
  for language in "$@"; do
    [[ " ${LANGUAGES[*]} " == *" $language "* ]] || die "there is no SDK for '$language' (there are: ${LANGUAGES[*]})"
    say "$language"
    "build_$language"
    first_plugin "$language"
  done
  say "the recorded shop through all of them"
  compare "$@"
}

case ${1:-} in
  check) check "${@:2}" ;;
  tool)
    [[ $(type -t "${2:-}_tool") == function ]] || die "the tools of '${2:-}' are none of this script's"
    "${2}_tool"
    ;;
  *)
    sed -n '6,7s/^# *//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
