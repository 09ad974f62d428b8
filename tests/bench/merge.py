"""The other side of the upsert figures: a Delta table of PyPI's deltalake that takes one MERGE for each line of input.

Arguments: the table's path, its rows, rows a file. A line is `version;keys to write;keys to delete`; the answer is the
seconds that the MERGE took, the making of its source not counted.
"""

import sys
import time

import polars as pl
from deltalake import DeltaTable, write_deltalake


def rows(keys, version, op):
    """The same values as the Rust side's, and what to do with each row."""
    key = pl.Series("id", keys, pl.Int64)
    columns = {
        "id": key,
        "k": pl.Series([k % 100003 for k in keys], dtype=pl.Int32),
        "amount": pl.Series([k * 0.37 + version for k in keys], dtype=pl.Float64),
        "at": pl.Series([1600000000000000 + k * 1000003 for k in keys], dtype=pl.Datetime("us")),
        "status": pl.Series([("new", "paid", "sent", "gone")[k % 4] for k in keys], dtype=pl.String),
        "customer": pl.Series([k * 2654435761 % 500000 for k in keys], dtype=pl.Int64),
        "name": pl.Series([f"customer {k % 50000}" for k in keys], dtype=pl.String),
        "note": pl.Series([f"note {version} on {k}" for k in keys], dtype=pl.String),
    }
    if op:
        columns["op"] = pl.Series([op] * len(keys), dtype=pl.String)
    return pl.DataFrame(columns)


def main():
    path, count, each = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for first in range(0, count, each):
        write_deltalake(path, rows(range(first, min(first + each, count)), 0, None), mode="append")
    table = DeltaTable(path)
    print("ready", flush=True)
    for line in sys.stdin:
        version, written, gone = line.strip().split(";")
        keys = [[int(k) for k in part.split(",") if k] for part in (written, gone)]
        source = pl.concat([rows(keys[0], int(version), "u"), rows(keys[1], int(version), "d")])
        columns = {c: f"s.{c}" for c in source.columns if c != "op"}
        start = time.perf_counter()
        (
            table.merge(source, "t.id = s.id", source_alias="s", target_alias="t")
            .when_matched_delete("s.op = 'd'")
            .when_matched_update(columns)
            .when_not_matched_insert(columns, "s.op = 'u'")
            .execute()
        )
        print(time.perf_counter() - start, flush=True)


main()
