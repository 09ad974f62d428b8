#!/usr/bin/env bash
# Fuzzes the source: fuzz.sh SECONDS [TARGET ..]. Every target runs for that long, as many at once as there are cores.
# Inputs worth keeping stay in target/fuzz/TARGET between runs; one that breaks something is laid into
# target/fuzz/found, named, and the exit code is 1. Mended, it goes to tests/fixtures/fuzz/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."

TARGETS=(file events rows value text json json-changes payload packed statement definitions definitions-file gtids)
: "${CARGO_TARGET_DIR:=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/target}"
export CARGO_TARGET_DIR
# An input that takes longer than this, or more memory, is a finding.
INPUT_SECONDS_MAX=10 MEMORY_MB_MAX=2048 INPUT_BYTES_MAX=16384

die() {
  echo "fuzz.sh: $*" >&2
  exit 2
}

# one: runs a single target; its last lines where it found something
one() {
  local target=$1 seconds=$2 folder=target/fuzz/$1 log=target/fuzz/$1.log
  mkdir -p "$folder"
  if SLUICE_FUZZ_TARGET=$target SLUICE_FUZZ_SEEDS=$folder "$CARGO_TARGET_DIR/debug/fuzz" "$folder" \
    -max_total_time="$seconds" -timeout=$INPUT_SECONDS_MAX -rss_limit_mb=$MEMORY_MB_MAX -max_len=$INPUT_BYTES_MAX \
    -artifact_prefix="target/fuzz/found/$target-" -verbosity=1 -print_final_stats=1 >"$log" 2>&1; then
    awk -v target="$target" '/ cov: /{for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1)}
      /^stat::number_of_executed_units/{runs = $2} /^stat::new_units_added/{new = $2}
      END{printf "%-16s %10d runs, %6d branches, %5d new inputs: nothing found\n", target, runs, cov, new}' "$log"
  else
    echo "$target: FOUND something"
    grep -vE '^(#|stat::)' "$log" | tail -n 40
    return 1
  fi
}

if [[ ${1:-} == --one ]]; then
  one "$2" "$3"
  exit
fi

seconds=${1:-}
[[ $seconds =~ ^[0-9]+$ ]] || die "how many seconds a target? (fuzz.sh 60, fuzz.sh 1800 json rows)"
shift
[[ $# -gt 0 ]] && TARGETS=("$@")
command -v c++ >/dev/null || die "libFuzzer needs a C++ compiler: run 'apt-get install g++'"
RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/fuzz-rustc.sh cargo build --locked --workspace --features sluice-fuzz/libfuzzer --bin fuzz
mkdir -p target/fuzz/found
printf '%s\n' "${TARGETS[@]}" | xargs -P "$(nproc)" -I{} "$0" --one {} "$seconds" || exit 1
