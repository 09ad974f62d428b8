"""Every Delta table below a folder as JSON lines, read by each of two readers that share no code with the host: the
SQL engine of PyPI's `deltalake`, and `polars`. Values are text in the form that MySQL writes them."""

import datetime
import decimal
import json
import pathlib
import sys

import polars
from deltalake import DeltaTable, QueryBuilder


def text(value):
    """A value as MySQL's text protocol writes it; binary as upper-case hexadecimal digits."""
    match value:
        case None | str():
            return value
        case bool():
            return str(int(value))
        case bytes():
            return value.hex().upper()
        case datetime.datetime():
            if value.tzinfo is not None:
                value = value.astimezone(datetime.timezone.utc)
            return value.strftime("%Y-%m-%d %H:%M:%S.%f")
        case decimal.Decimal():
            return format(value, "f")
        case float():
            return repr(value)
        case _:
            return str(value)


def by_deltalake(path):
    """Through the query engine of the deltalake package."""
    table = QueryBuilder().register("t", DeltaTable(path)).execute("SELECT * FROM t").read_all()
    return polars.DataFrame(table)


def by_polars(path):
    """Through polars' own scan."""
    return polars.scan_delta(path).collect()


def main():
    root = pathlib.Path(sys.argv[1])
    for log in sorted(root.rglob("_delta_log")):
        target = log.parent
        for reader, read in (("deltalake", by_deltalake), ("polars", by_polars)):
            frame = read(str(target))
            head = {"reader": reader, "target": str(target.relative_to(root))}
            print(json.dumps(head | {"columns": frame.columns}))
            for row in frame.iter_rows(named=True):
                print(json.dumps(head | {"row": {name: text(value) for name, value in row.items()}}))


if __name__ == "__main__":
    main()
