#!/usr/bin/env bash
# The quickstart from a fresh checkout: builds what is not built yet, runs the recorded shop through three plugins into
# Delta tables below target/demo, and shows them. A second run finds everything built and only runs.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${CARGO_TARGET_DIR:=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/target}"
export CARGO_TARGET_DIR

SECONDS=0
sluice=$PWD/target/bin/sluice
if [[ -x $sluice ]]; then
  echo "== building what changed"
else
  echo "== building the host and its dependencies into $CARGO_TARGET_DIR (once, about 15 minutes on two cores)"
fi
make --no-print-directory build
built=$SECONDS

rm -rf target/demo
mkdir -p target/demo
cp -r examples/quickstart/sluice.toml examples/quickstart/log target/demo/
# The manifest names plugins by paths relative to itself.
sed -i 's|"\.\./\.\./target/plugins/|"../plugins/|' target/demo/sluice.toml
echo
echo "== \$ sluice run sluice.toml --until-end        (in target/demo)"
(cd target/demo && "$sluice" run sluice.toml --until-end)

tables=0
# Below `_sluice` lies what the pipeline keeps for itself.
for table in target/demo/lake/[!_]*/*/; do
  table=${table%/}
  echo
  echo "== \$ sluice table show $table"
  case $table in
    */customers_*) "$sluice" table show "$table" | sed '/^columns/,$d' ;; # the same columns in each
    *) "$sluice" table show "$table" ;;
  esac
  tables=$((tables + 1))
done
echo
echo "== $tables Delta tables in target/demo/lake; built in $built s, run and shown in $((SECONDS - built)) s"
echo "   what to look at: examples/quickstart/README.md"
