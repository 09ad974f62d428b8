"""A plugin's unit tests without a host: plan and process run, the outcome read back.

Every run is done three times, over the whole batch, row by row and in a fresh instance, and must give the same answer
each time, as the host's replays demand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .builder import ColumnBuilder
from .column import Column
from .instance import Instance
from .schema import DataType, Field, Limits, TableSchema

_LIMITS = Limits(64 << 20, 65_536, 64 << 20)


def table(database: str, name: str, columns: dict[str, DataType | str], id_columns: list[str] | None = None) -> TableSchema:
    """A table of columns that are nullable unless they identify a row."""
    ids = id_columns or []
    names = list(columns)
    types = [one if isinstance(one, DataType) else DataType(one) for one in columns.values()]
    fields = [Field(column, data_type, column not in ids) for column, data_type in zip(names, types)]
    keys = [names.index(column) for column in ids]
    return TableSchema(database, name, fields, keys, [], keys, [("db", database), ("table", name)])


@dataclass
class Outcome:
    """What became of one row; `rejected` is the failure's code."""

    kept: bool
    computed: list[Any] = field(default_factory=list)
    route: dict[str, str] = field(default_factory=dict)
    rejected: str | None = None


def run(plugin: type, config: Any, schema: TableSchema, rows: list[list[Any]]) -> list[Outcome]:
    """Plans a table and processes rows (lists in the table's column order)."""
    whole = _once(plugin, config, schema, rows)
    if _once(plugin, config, schema, rows) != whole:
        raise AssertionError("impure: a fresh instance answers otherwise")
    for at, row in enumerate(rows):
        if _once(plugin, config, schema, [row]) != whole[at : at + 1]:
            raise AssertionError(f"impure: row {at} alone is answered otherwise")
    return whole


def _once(plugin: type, config: Any, schema: TableSchema, rows: list[list[Any]]) -> list[Outcome]:
    instance = Instance(plugin, config, [], _LIMITS)
    decision = instance.plan(0, schema)
    if decision.plan is None or decision.plan.reads is None:
        return [Outcome(decision.tag != "exclude") for _ in rows]
    columns = []
    for at in decision.plan.reads:
        columns.append(ColumnBuilder(schema.fields[at].data_type, [row[at] for row in rows]).finish())
    edit = instance.process(0, len(rows), columns)
    computed = [Column(*one.finish(), one.data_type, one.rows) for one in edit.computed]

    def outcome(row: int) -> Outcome:
        failure = edit.rejected.get(row)
        kept = failure is None and (edit.kept is None or edit.kept.get(row))
        route = dict(edit.routes.routes[edit.routes.rows[row]]) if edit.routes else {}
        return Outcome(kept, [column.value(row) for column in computed], route, failure and failure.code)

    return [outcome(row) for row in range(len(rows))]
