"""A plugin between its configuration and its end, and the checks of what it answers; the host checks everything again."""

from __future__ import annotations

from typing import Any

from .column import Batch, Column
from .edit import Edit
from .failure import Failure
from .plan import PASS, Decision
from .schema import Attachment, Limits, TableSchema

Buffers = tuple[bytes | None, bytes, bytes]


class Instance:
    """A configured plugin."""

    def __init__(self, plugin: type, config: Any, attachments: list[Attachment], limits: Limits) -> None:
        self._plugin = plugin(config, attachments, limits)
        self._tables: dict[int, Decision] = {}

    def plan(self, table_id: int, table: TableSchema) -> Decision:
        """Asks the plugin what it does with a table."""
        decision = self._plugin.plan(table) or PASS
        if decision.tag == "apply":
            self._tables[table_id] = decision
        return decision

    def process(self, table_id: int, rows: int, buffers: list[Buffers]) -> Edit:
        """Has the plugin edit a batch."""
        decision = self._tables.get(table_id)
        if decision is None or decision.plan is None:
            raise Failure("not-planned", f"table id {table_id} has no plan")
        types = decision.plan.read_types
        if len(buffers) != len(types):
            raise Failure("column-count", f"the plan reads {len(types)} columns, {len(buffers)} came")
        columns = [Column(*column, data_type, rows) for column, data_type in zip(buffers, types)]
        edit = self._plugin.process(decision.table, Batch(rows, columns)) or Edit()
        self._check(edit, rows, decision.plan.computed_types)
        return edit

    def release(self, table_id: int) -> None:
        """Forgets a table's plan."""
        self._tables.pop(table_id, None)

    @staticmethod
    def _check(edit: Edit, rows: int, types: list[Any]) -> None:
        if edit.kept is not None and edit.kept.rows != rows:
            raise Failure("edit", f"keep has {edit.kept.rows} rows, the batch {rows}")
        if len(edit.computed) != len(types):
            text = f"the plan computes {len(types)} columns, the edit has {len(edit.computed)}"
            raise Failure("edit", text)
        for slot, (column, planned) in enumerate(zip(edit.computed, types)):
            if column.data_type != planned or column.rows != rows:
                given = f"{column.data_type} with {column.rows} rows"
                raise Failure("edit", f"computed column {slot} is {given}, planned is {planned} with {rows}")
        if edit.routes is not None and len(edit.routes.rows) != rows:
            raise Failure("edit", f"{len(edit.routes.rows)} rows are routed, the batch has {rows}")
