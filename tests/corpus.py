"""Runs every scenario of a folder of recorded logs through `sluice run` into Delta tables and compares them with the
rows that the server had in the end: `make corpus CORPUS=dir`, `ONLY=part-of-a-name` for some of them.

A scenario NAME is NAME.binlog, or NAME.1.binlog, NAME.2.binlog ... where the log goes on, with

    NAME.schema.jsonl    one line a table: {"db", "table", "create", "columns": [{"name", "type", "charset", ...}]}
    NAME.expected.jsonl  one line a row: {"db", "table", "row": {column: text or null}}

NAME-minmeta is NAME recorded without column names; where it has no such files of its own, those of NAME hold for it.

Texts are what CAST AS CHAR gives (time zone UTC); floats compare as numbers, BIT is an unsigned integer, ENUM and SET
are "number|labels", binary types are hexadecimal digits, JSON compares by content. The tables are read by PyPI's
`deltalake` and by `polars`, which share no code with the host. One line a scenario, then `N of M right`; the exit code
is 1 unless every scenario is right or refused by a name of `REFUSALS`, with the documented exit code and no wrong row
written. Rows are never printed, only the columns in which the most similar ones differ.
"""

import datetime
import decimal
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import polars
from deltalake import DeltaTable, QueryBuilder

# What no reader of a log can know: the refusal's name, its exit code, and what the message has to say.
REFUSALS = [
    ("encrypted log", 3, re.compile(r"encrypted", re.I)),
    ("STATEMENT rows", 3, re.compile(r"binlog_format", re.I)),
]
# MariaDB does not log what a foreign key does to the rows of a child table.
CASCADE = re.compile(r"ON (DELETE|UPDATE) (CASCADE|SET NULL|SET DEFAULT)", re.I)
# Longer than any scenario takes, also on a machine that is busy.
TIMEOUT_S = 600
COLUMNS_SHOWN_MAX = 4
NUMBERS = {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year", "bit"}
BINARIES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"}
BINARIES |= {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"}
BINARIES |= {"geomcollection", "geometrycollection"}
# The texts are rounded: a FLOAT to 6 digits in some servers, a DOUBLE in its last one.
TOLERANCE = {"float": 1e-6, "double": 1e-15}
IMPOSSIBLE = re.compile(r"^0000-|-00-|-00( |$)")
MANIFEST = """
[pipeline]
name = "corpus"
checkpoint = "{folder}/checkpoint"
[source]
files = [{files}]
zero-dates = "null"
[sink]
path = "{folder}/lake/{{db}}/{{table}}"
merge-schema = true
[[table]]
match = "*.*"
without-key = "whole-row"
"""
# What a column's name in a Delta table has none of: the host refuses it and names the way out, a plugin.
REFUSED_IN_NAMES = re.compile(r"[ ,;{}()\n\t=]")
RENAMED = """
[[plugin]]
name = "rename-{n}"
component = {component}
tables = [{table}]
[plugin.config.columns]
{columns}
"""
RENAME = pathlib.Path(__file__).resolve().parent.parent / "target" / "plugins" / "rename.wasm"


class Different(Exception):
    """What a target holds is not what the server had."""


def expected_value(text, column):
    """A value of the expected rows in a form that compares by ==."""
    if text is None:
        return None
    kind = column["type"]
    if kind in NUMBERS:
        return decimal.Decimal(text)
    if kind in ("float", "double"):
        return float(text)
    if kind in ("enum", "set"):
        return text.split("|", 1)[1]
    if kind in BINARIES:
        return text.upper()
    if kind == "json":
        return json.loads(text, parse_float=decimal.Decimal)
    if kind in ("date", "datetime", "timestamp"):
        return None if IMPOSSIBLE.search(text) else moment(text)
    return moment(text) if kind == "time" else text


def moment(text):
    """A temporal text with six digits of microseconds where it has a time."""
    if ":" not in text:
        return text
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction:0<6}"


def found_value(value, column):
    """A value of a target in the same form."""
    kind = column["type"]
    if value is None:
        return None
    if kind in NUMBERS:
        return decimal.Decimal(int(value) if isinstance(value, bool) else value)
    if kind in ("float", "double"):
        return float(value)
    if isinstance(value, bytes):
        return value.hex().upper()
    if kind == "json":
        return json.loads(value, parse_float=decimal.Decimal)
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc) if value.tzinfo else value
        return f"{value.year:04}-{value:%m-%d %H:%M:%S.%f}"
    if isinstance(value, datetime.date):
        return f"{value.year:04}-{value:%m-%d}"
    return value


def same(expected, found, column):
    """Whether two values are one."""
    if isinstance(expected, float) and isinstance(found, float):
        # MySQL rounds the 17 digits of the largest double up, beyond what a double holds.
        expected = max(-sys.float_info.max, min(sys.float_info.max, expected))
        return abs(expected - found) <= abs(expected) * TOLERANCE[column["type"]]
    return expected == found


def target_name(column):
    """The name of a column in its target."""
    return REFUSED_IN_NAMES.sub("_", column)


def renamed(tables):
    """The plugins for tables with columns that a Delta table cannot have."""
    for n, table in enumerate(tables):
        names = [c["name"] for c in table["columns"] if target_name(c["name"]) != c["name"]]
        if names:
            columns = "\n".join(f"{json.dumps(name)} = {json.dumps(target_name(name))}" for name in names)
            pattern = f"/{re.escape(table['db'])}[.]{re.escape(table['table'])}/"
            yield RENAMED.format(n=n, component=json.dumps(str(RENAME)), table=json.dumps(pattern), columns=columns)


def read(path):
    """The rows of a target as both readers see them."""
    table = QueryBuilder().register("t", DeltaTable(path)).execute("SELECT * FROM t").read_all()
    yield "deltalake", polars.DataFrame(table)
    # polars looks for the files of a folder whose name a URL encodes under the encoded name.
    with tempfile.TemporaryDirectory() as plain:
        copy = shutil.copytree(path, os.path.join(plain, "table"))
        yield "polars", polars.scan_delta(copy).collect()


def compare_table(path, table, rows, subset):
    """Compares one target; `subset`: rows may be missing, none may be wrong."""
    columns = {target_name(c["name"]): c for c in table["columns"]}
    if not path.exists():
        if rows and not subset:
            raise Different(f"{table['table']} has no target")
        return
    for reader, frame in read(str(path)):
        # A column that the source dropped stays in its target.
        if missing := set(columns) - set(frame.columns):
            raise Different(f"{reader}: {table['table']} lacks the columns {sorted(missing)}")
        found = [{n: found_value(row[n], c) for n, c in columns.items()} for row in frame.iter_rows(named=True)]
        for row in rows:
            wanted = {n: expected_value(row[c["name"]], c) for n, c in columns.items()}
            at = next((i for i, f in enumerate(found) if not unlike(wanted, f, columns)), None)
            if at is not None:
                found.pop(at)
            elif not subset:
                raise Different(f"{reader}: {table['table']} lacks {closest(wanted, found, columns)}")
        if found:
            raise Different(f"{reader}: {table['table']} has {len(found)} rows too many")


def unlike(wanted, row, columns):
    """The columns in which a row is not the one that is wanted, the first ones."""
    differ = (name for name, column in columns.items() if not same(wanted[name], row[name], column))
    return list(itertools.islice(differ, COLUMNS_SHOWN_MAX))


def closest(wanted, found, columns):
    """In what the row that is missing differs from the one of the target that is most like it."""
    if not found:
        return "a row, and has no other"
    best = min((unlike(wanted, row, columns) for row in found), key=len)
    return "a row; the one most like it differs in " + ", ".join(f"{n} ({columns[n]['type']})" for n in best)


def lines(folder, name, what):
    """A file of JSON lines beside the logs; none where there is no such file."""
    names = (name, name.removesuffix("-minmeta"))
    path = next((p for n in names if (p := folder / f"{n}.{what}.jsonl").exists()), None)
    if path is None:
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def scenario(name, logs, folder):
    """Runs one scenario; the answer is what became of it, for people."""
    files = ", ".join(json.dumps(str(log)) for log in logs)
    manifest = folder / "corpus.toml"
    tables = lines(logs[0].parent, name, "schema")
    manifest.write_text(MANIFEST.format(folder=folder, files=files) + "".join(renamed(tables)))
    command = [os.environ["SLUICE_BIN"], "run", "--until-end", manifest]
    run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    rows = lines(logs[0].parent, name, "expected")
    refusal = None
    if run.returncode != 0:
        known = (n for n, code, text in REFUSALS if code == run.returncode and text.search(run.stderr))
        refusal = next(known, None)
        if refusal is None:
            raise Different(f"exit code {run.returncode}: {' '.join(run.stderr.split())[-400:]}")
    for table in tables:
        own = [row["row"] for row in rows if (row["db"], row["table"]) == (table["db"], table["table"])]
        is_child = CASCADE.search(table["create"]) and b"MariaDB" in logs[0].read_bytes()[:200]
        if is_child:
            refusal = "foreign-key cascades of MariaDB"
            continue
        compare_table(folder / "lake" / table["db"] / table["table"], table, own, refusal is not None)
    return f"refused by name: {refusal}" if refusal else f"right, {len(rows)} rows"


def scenarios(root):
    """The logs of every scenario below a folder, in order."""
    found = {}
    for log in sorted(root.rglob("*.binlog")):
        name = re.sub(r"(\.\d+)?\.binlog$", "", log.name)
        found.setdefault((log.parent, name), []).append(log)
    for (folder, name), logs in sorted(found.items()):
        yield folder, name, sorted(logs, key=lambda log: int((re.findall(r"\.(\d+)\.binlog$", log.name) or [0])[0]))


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:]
    right = count = 0
    for folder, name, logs in scenarios(root):
        if wanted and not any(part in name for part in wanted):
            continue
        count += 1
        label = str((folder / name).relative_to(root))
        with tempfile.TemporaryDirectory() as scratch:
            try:
                print(f"{label}: {scenario(name, logs, pathlib.Path(scratch))}", flush=True)
                right += 1
            except (Different, subprocess.TimeoutExpired) as error:
                print(f"{label}: WRONG: {error}", flush=True)
    print(f"{right} of {count} right")
    sys.exit(0 if count and right == count else 1)


if __name__ == "__main__":
    main()
