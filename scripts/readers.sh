#!/usr/bin/env bash
# The independent readers of Delta tables that the tests compare with: PyPI's `deltalake` and `polars`, in a virtual
# environment of their own below the cache folder, made once. Prints the path of its Python.
set -euo pipefail

# The versions that the tests were written against; a newer reader that disagrees is worth knowing, but not by surprise.
PACKAGES=(deltalake==1.6.6 polars==2.1.0)
VENV=${SLUICE_READERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice/readers}
stamp="$VENV/.complete"

die() {
  echo "readers.sh: $*" >&2
  exit 1
}

if [[ ! -e $stamp || $(cat "$stamp") != "${PACKAGES[*]}" ]]; then
  command -v python3 >/dev/null || die "python3 is missing: run 'apt-get install python3 python3-venv'"
  mkdir -p "$(dirname "$VENV")"
  exec 9>"$VENV.lock"
  flock 9
  if [[ ! -e $stamp || $(cat "$stamp") != "${PACKAGES[*]}" ]]; then
    echo "readers.sh: installing ${PACKAGES[*]} (once)" >&2
    rm -rf "$VENV"
    python3 -m venv "$VENV" || die "python's venv is missing: run 'apt-get install python3-venv'"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "${PACKAGES[@]}" >&2 ||
      die "the packages could not be installed: check that the package index can be reached"
    echo "${PACKAGES[*]}" >"$stamp"
  fi
fi
echo "$VENV/bin/python"
