#!/usr/bin/env bash
# Records the quickstart's log anew: starts a MySQL 9.7 of its own, lets the shop of shop.py do its business, and keeps
# the two binlog files that this wrote, and the rows as they are at the end. Nobody needs to run this to use the example.
set -euo pipefail
cd "$(dirname "$0")"

servers=../../scripts/servers.sh
kind=mysql-9.7
port=${1:-23306}
dir=$(mktemp -d)
trap '$servers stop "$dir"; rm -rf "$dir"' EXIT

$servers start $kind "$dir" "$port" --log-bin="$dir/data/shop-bin" --server-id=1
$servers sql $kind "$dir" -e 'RESET BINARY LOGS AND GTIDS'
python3 shop.py | $servers sql $kind "$dir"
$servers sql $kind "$dir" -e 'FLUSH BINARY LOGS'

mkdir -p log
cp "$dir"/data/shop-bin.000001 "$dir"/data/shop-bin.000002 log/
chmod 644 log/*
$servers sql $kind "$dir" -N -r shop <expected.sql >../../tests/fixtures/quickstart.jsonl
ls -l log
