"""The answer for one batch."""

from __future__ import annotations

from .builder import ColumnBuilder
from .column import Bitmap
from .failure import Failure


class RowRoutes:
    """Route variables row by row."""

    def __init__(self) -> None:
        self.routes: list[list[tuple[str, str]]] = []
        self.rows: list[int] = []
        self._known: dict[tuple[tuple[str, str], ...], int] = {}

    def route(self, **variables: str) -> int:
        """The number of a set of variables; equal sets have the same number."""
        key = tuple(variables.items())
        if key not in self._known:
            self._known[key] = len(self.routes)
            self.routes.append(list(key))
        return self._known[key]

    def push(self, route: int) -> None:
        """The next row goes the way that `route` numbered."""
        self.rows.append(route)


class Edit:
    """Everything is over ALL rows of the batch. A new one keeps every row."""

    def __init__(self) -> None:
        self.kept: Bitmap | None = None
        self.computed: list[ColumnBuilder] = []
        self.routes: RowRoutes | None = None
        self.rejected: dict[int, Failure] = {}

    @staticmethod
    def keep(bitmap: Bitmap) -> Edit:
        """Only the rows whose bit is set stay."""
        edit = Edit()
        edit.kept = bitmap
        return edit

    def with_column(self, column: ColumnBuilder) -> Edit:
        """The next computed column, in the order of the plan's computed columns."""
        self.computed.append(column)
        return self

    def with_routes(self, routes: RowRoutes) -> Edit:
        """Each row its own route."""
        self.routes = routes
        return self

    def reject(self, row: int, code: str, detail: object = "") -> Edit:
        """A row that cannot be transformed; the first failure of a row counts."""
        self.rejected.setdefault(row, Failure(code, detail))
        return self
