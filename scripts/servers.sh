#!/usr/bin/env bash
# Real MySQL and MariaDB servers for tests, without installing anything: Debian packages with all they depend on are
# unpacked into a cache folder and run through that folder's own dynamic loader. It never touches the machine's package
# state, never listens beyond 127.0.0.1 and never ends a process that it did not start.
#
#   servers.sh fetch KIND                      unpack once (25 s, 300 to 410 MB)
#   servers.sh start KIND DIR PORT [OPTION..]  initialise DIR where it is new, start on 127.0.0.1:PORT, wait for an answer
#   servers.sh serve KIND DIR PORT [OPTION..]  start, print `ready`, and stop the server when standard input closes;
#                                              with SLUICE_SERVER_REMOVE=1 DIR goes as well
#   servers.sh sql   KIND DIR [ARG..]          the command-line client as root over the socket
#   servers.sh tool  KIND NAME [ARG..]         another program of the unpacked root, such as mysqlbinlog
#   servers.sh stop  DIR                       end the server of DIR and wait for it
#   servers.sh kill  DIR                       end it as a power cut would, and wait until it is gone
#
# KIND: mysql-9.7 | mariadb-11.8. OPTIONs go to the server; later ones win (--binlog-row-metadata=MINIMAL ..).
# Defaults: ROW format, GTIDs on, row metadata FULL, root without a password over socket and TCP.
set -euo pipefail

CACHE=${SLUICE_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice/servers}
MIRROR=${SLUICE_DEBIAN_MIRROR:-http://deb.debian.org/debian}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
ANSWER_WAIT_TENTHS=600 # a loaded machine takes several seconds; a minute means that it will never answer
STOP_WAIT_TENTHS=600

die() {
  echo "servers.sh: $*" >&2
  exit 1
}

usage() {
  sed -n '6,13s/^# *//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

# --- packages ---------------------------------------------------------------------------------------------------------

suite_and_packages() {
  case $1 in
    mysql-9.7) echo "sid mysql-server-core mysql-client-core" ;;
    mariadb-11.8) echo "trixie mariadb-server-core mariadb-client-core mariadb-client mariadb-server" ;;
    *) die "unknown server kind '$1': choose mysql-9.7 or mariadb-11.8" ;;
  esac
}

need_debian() {
  local way_out="start a server of your own and set SLUICE_TEST_MYSQL and SLUICE_TEST_MARIADB (mysql://root@127.0.0.1:3306)"
  [[ $(uname -m) == x86_64 ]] || die "the packaged servers are for x86_64 machines: $way_out"
  local program
  for program in apt-get dpkg-deb tar; do
    command -v $program >/dev/null || die "this system has no Debian packages ($program is missing): $way_out"
  done
  [[ -e $KEYRING ]] || die "$KEYRING is missing: install the package debian-archive-keyring, or $way_out"
}

fetch() {
  local kind=$1 root=$CACHE/$1 suite packages apt
  [[ -e $root/.complete ]] && return
  read -r suite packages <<<"$(suite_and_packages "$kind")"
  need_debian
  mkdir -p "$CACHE"
  exec 9>"$CACHE/$kind.lock" # two test runs may want the same server for the first time
  flock 9
  [[ -e $root/.complete ]] && return
  echo "servers.sh: fetching $kind from $MIRROR (once, about 90 MB)" >&2
  apt=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$apt'" EXIT
  download "$apt" "$suite" "$packages" || die "$kind could not be fetched: check the network, or set SLUICE_DEBIAN_MIRROR"
  unpack "$apt" "$root"
  touch "$root/.complete"
  rm -rf "$apt"
  flock -u 9
}

# A private apt state whose list of installed packages is empty, so that every dependency comes along, libc too.
download() {
  local apt=$1 suite=$2 packages=$3 options
  mkdir -p "$apt"/{lists/partial,cache/archives/partial,etc}
  echo "deb [signed-by=$KEYRING] $MIRROR $suite main" >"$apt/sources.list"
  : >"$apt/status"
  options=(-o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State="$apt" -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache"
    -o APT::Architecture=amd64 -o APT::Install-Recommends=false -o Acquire::Languages=none -o Acquire::Retries=3
    -o Debug::NoLocking=1)
  [[ $(id -u) != 0 ]] || options+=(-o APT::Sandbox::User=root)
  apt-get "${options[@]}" -qq update >&2 || return 1
  # shellcheck disable=SC2086 # a list of packages
  apt-get "${options[@]}" -y -qq --download-only install $packages >/dev/null || return 1
}

unpack() {
  local apt=$1 root=$2 folder deb
  rm -rf "$root"
  mkdir -p "$root"/usr/{bin,sbin,lib,lib64}
  for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
  for deb in "$apt"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$root"
  done
}

# --- programs ---------------------------------------------------------------------------------------------------------

# program KIND PATH ARG..: becomes a program of the unpacked root, under that root's own loader and libraries
program() {
  local root=$CACHE/$1 path=$2
  shift 2
  [[ -e $root/.complete ]] || die "$(basename "$root") is not here yet: run 'scripts/servers.sh fetch $(basename "$root")'"
  local lib=$root/usr/lib/x86_64-linux-gnu
  exec "$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$lib:$lib/mysql:$root/usr/lib/mysql/private" \
    --argv0 "$root$path" "$root$path" "$@"
}

# charsets KIND: the folder with character sets and messages
charsets() {
  case $1 in
    mysql-*) echo "$CACHE/$1/usr/share/mysql" ;;
    *) echo "$CACHE/$1/usr/share/mariadb" ;;
  esac
}

sql() {
  local kind=$1 dir=$2 client=/usr/bin/mysql
  shift 2
  [[ $kind == mysql-* ]] || client=/usr/bin/mariadb
  (program "$kind" $client --no-defaults -uroot -S"$dir/s.sock" --character-sets-dir="$(charsets "$kind")/charsets" \
    --default-character-set=utf8mb4 --max-allowed-packet=1G "$@")
}

tool() {
  local kind=$1 name=$2
  shift 2
  (program "$kind" "/usr/bin/$name" "$@")
}

# --- life -------------------------------------------------------------------------------------------------------------

initialise() {
  local kind=$1 dir=$2 root=$CACHE/$1 share common
  share=$(charsets "$kind")
  mkdir -p "$dir/tmp"
  common=(--no-defaults --basedir="$root/usr" --datadir="$dir/data" --tmpdir="$dir/tmp" --lc-messages-dir="$share"
    --character-sets-dir="$share/charsets")
  [[ $(id -u) != 0 ]] || common+=(--user=root)
  if [[ $kind == mysql-* ]]; then
    (program "$kind" /usr/sbin/mysqld "${common[@]}" --initialize-insecure --log-error="$dir/init.err" --innodb-redo-log-capacity=64M)
  else
    mkdir -p "$dir/data"
    mariadb_system_tables "$share" | (program "$kind" /usr/sbin/mariadbd "${common[@]}" --bootstrap \
      --plugin-dir="$root/usr/lib/mysql/plugin" --log-warnings=0 >"$dir/init.err" 2>&1)
  fi || {
    tail -5 "$dir/init.err" >&2
    rm -rf "$dir/data"
    die "$kind could not initialise $dir"
  }
}

# What mariadb-install-db feeds to the server; that script needs programs which the unpacked root does not have.
mariadb_system_tables() {
  printf '%s\n' 'create database if not exists mysql;' 'use mysql;' 'set @auth_root_socket=NULL;' \
    'set @current_hostname="localhost";' 'set @skip_auth_anonymous=1;'
  (cd "$1" && cat mariadb_system_tables.sql mariadb_performance_tables.sql mariadb_system_tables_data.sql \
    fill_help_tables.sql maria_add_gis_sp_bootstrap.sql mariadb_sys_schema.sql)
}

launch() {
  local kind=$1 dir=$2 port=$3 root=$CACHE/$1 share options
  shift 3
  share=$(charsets "$kind")
  # A server that starts removes what looks like an old temporary table, others' in the same folder too.
  mkdir -p "$dir/tmp"
  options=(--no-defaults --basedir="$root/usr" --datadir="$dir/data" --tmpdir="$dir/tmp" --socket="$dir/s.sock" --pid-file="$dir/pid"
    --log-error="$dir/err.log" --lc-messages-dir="$share" --character-sets-dir="$share/charsets"
    --plugin-dir="$root/usr/lib/mysql/plugin" --bind-address=127.0.0.1 --port="$port" --server-id="$port"
    --log-bin="$dir/data/binlog" --binlog-format=ROW --binlog-row-metadata=FULL --max-allowed-packet=1G
    --default-time-zone=+00:00 --innodb-flush-log-at-trx-commit=2 --secure-file-priv= --local-infile=1)
  [[ $(id -u) != 0 ]] || options+=(--user=root)
  # A server that ends for lack of a file lock would answer on the old one's socket: the socket goes first.
  rm -f "$dir/s.sock" "$dir/s.sock.lock" "$dir/pid"
  if [[ $kind == mysql-* ]]; then
    options+=(--mysqlx=OFF --gtid-mode=ON --enforce-gtid-consistency=ON --innodb-redo-log-capacity=128M)
    (program "$kind" /usr/sbin/mysqld "${options[@]}" "$@" </dev/null >/dev/null 2>&1 &)
  else
    options+=(--gtid-strict-mode=ON)
    (program "$kind" /usr/sbin/mariadbd "${options[@]}" "$@" </dev/null >/dev/null 2>&1 &)
  fi
}

start() {
  local kind=$1 dir=$2 port=$3 tenth
  shift 3
  fetch "$kind"
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  ((${#dir} <= 90)) || die "$dir is too long for a socket (90 characters at most)"
  [[ -d $dir/data ]] || initialise "$kind" "$dir"
  launch "$kind" "$dir" "$port" "$@"
  for ((tenth = 0; tenth < ANSWER_WAIT_TENTHS; tenth++)); do
    if sql "$kind" "$dir" -e 'select 1' >/dev/null 2>&1; then return; fi
    if [[ -e $dir/pid ]] && ! kill -0 "$(cat "$dir/pid")" 2>/dev/null; then break; fi
    sleep 0.1
  done
  [[ ! -e $dir/err.log ]] || grep -v '\[Note\]' "$dir/err.log" | tail -5 >&2
  die "$kind does not answer on port $port (log: $dir/err.log)"
}

# The caller holds the other end of standard input: when it ends, however it ends, the server ends too.
serve() {
  local dir=$2
  trap '' INT TERM
  start "$@"
  dir=$(cd "$dir" && pwd)
  echo ready
  cat >/dev/null
  stop "$dir"
  [[ -z ${SLUICE_SERVER_REMOVE:-} ]] || rm -rf "$dir"
}

stop() {
  local dir=$1 pid
  [[ -e $dir/pid ]] || return 0
  pid=$(cat "$dir/pid")
  kill "$pid" 2>/dev/null || return 0
  is_gone "$pid" || kill -9 "$pid" 2>/dev/null || true
}

kill_at_once() {
  local dir=$1 pid
  pid=$(cat "$dir/pid") || die "no server runs in $dir"
  kill -9 "$pid" || die "the server of $dir does not run"
  is_gone "$pid" || die "process $pid does not go away"
}

# Waits until a process has ended; one that nobody has waited for yet (a zombie) has.
is_gone() {
  local pid=$1 tenth
  for ((tenth = 0; tenth < STOP_WAIT_TENTHS; tenth++)); do
    kill -0 "$pid" 2>/dev/null || return 0
    [[ $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) != Z* ]] || return 0
    sleep 0.1
  done
  return 1
}

command=${1:-}
shift || usage
case $command:$# in
  fetch:1 | stop:1) "$command" "$@" ;;
  kill:1) kill_at_once "$@" ;;
  start:[0-2] | serve:[0-2] | sql:[01] | tool:[01]) usage ;;
  start:* | serve:* | sql:* | tool:*) "$command" "$@" ;;
  *) usage ;;
esac
