"""What a plugin decides once per table: output columns, id columns, route, and what it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .failure import Failure
from .schema import ROW_ROUTE, DataType, TableSchema


@dataclass
class Source:
    """Where an output column comes from: `tag` is input, cast, computed, constant or metadata.

    `at` is the field of an input or cast, the slot of a computed column; `text` a constant's text or a fact's name.
    """

    tag: str
    at: int = -1
    data_type: DataType | None = None
    nullable: bool = True
    text: str | None = None

    @property
    def field(self) -> int | None:
        """The input field whose values it carries."""
        return self.at if self.tag in ("input", "cast") else None


@dataclass
class Output:
    """One output column."""

    name: str
    source: Source


@dataclass
class Decision:
    """The answer to "what do you do with this table?": `tag` is exclude, pass or apply."""

    tag: str
    plan: Plan | None = None
    table: Any = None


EXCLUDE = Decision("exclude")
PASS = Decision("pass")


@dataclass
class Plan:
    """A plan as the host gets it; made by `Plan.of`."""

    output: list[Output] | None = None
    id_columns: list[int] | None = None
    route: list[tuple[str, str]] = field(default_factory=list)
    reads: list[int] | None = None
    read_types: list[DataType] = field(default_factory=list)
    computed_types: list[DataType] = field(default_factory=list)
    properties: list[tuple[str, str]] = field(default_factory=list)

    @staticmethod
    def of(table: TableSchema) -> PlanBuilder:
        """Starts from the table as it comes: all columns, same id columns, same route."""
        return PlanBuilder(table)

    def with_table(self, table: Any) -> Decision:
        """The decision to apply this plan, with what `process` needs to know of the table."""
        return Decision("apply", self, table)


class PlanBuilder:
    """Builds a plan.

    Steps that change a column (`rename`, `drop`, `cast`, `replace`, `reads`) name it as it comes IN; `order` and
    `id_columns` name columns as they go OUT. Mistakes are collected and raised together by `build`. A plan without reads
    and computed columns costs nothing a row: `process` is never called.
    """

    def __init__(self, table: TableSchema) -> None:
        self._table = table
        self._columns = [Output(one.name, Source("input", at)) for at, one in enumerate(table.fields)]
        self._order: list[str] = []
        self._ids: list[str] | None = None
        self._plan = Plan()
        self._mistakes: list[str] = []

    def rename(self, old: str, new: str) -> PlanBuilder:
        """Gives an input column another name; `a` to `b` and `b` to `a` swaps the two."""
        if column := self._column(old):
            column.name = new
        return self

    def drop(self, name: str) -> PlanBuilder:
        """Leaves an input column out."""
        at = self._known(name)
        if at is not None:
            self._columns = [column for column in self._columns if column.source.field != at]
        return self

    def keep_only(self, *names: str) -> PlanBuilder:
        """Leaves out all input columns but these. Columns that the plan added stay."""
        kept = [self._known(name) for name in names] + [None]
        self._columns = [column for column in self._columns if column.source.field in kept]
        return self

    def order(self, *names: str) -> PlanBuilder:
        """Output columns that come first, in this order; the others follow as they were."""
        self._order.extend(names)
        return self

    def cast(self, name: str, to: DataType) -> PlanBuilder:
        """Has the host convert an input column; a value that does not fit rejects its row with the code `cast`."""
        if column := self._column(name):
            column.source = Source("cast", column.source.at, to)
        return self

    def computed(self, name: str, data_type: DataType, nullable: bool = True) -> PlanBuilder:
        """A new column that `process` makes. The edit gives computed columns in the order of `computed` and `replace`."""
        self._columns.append(Output(name, self._slot(data_type, nullable)))
        return self

    def replace(self, name: str, data_type: DataType, nullable: bool = True) -> PlanBuilder:
        """Puts a column that `process` makes in the place and under the name of an input column."""
        source = self._slot(data_type, nullable)
        if column := self._column(name):
            column.source = source
        return self

    def constant(self, name: str, data_type: DataType, text: str | None) -> PlanBuilder:
        """A new column with the same value in every row, in the text form of docs/reference/text-values.md."""
        self._columns.append(Output(name, Source("constant", data_type=data_type, text=text)))
        return self

    def replace_constant(self, name: str, data_type: DataType, text: str | None) -> PlanBuilder:
        """Puts a constant in the place and under the name of an input column; None is NULL."""
        if column := self._column(name):
            column.source = Source("constant", data_type=data_type, text=text)
        return self

    def metadata(self, fact: str, name: str) -> PlanBuilder:
        """A new column that the host fills with a fact about the change, such as "op"."""
        self._columns.append(Output(name, Source("metadata", text=fact)))
        return self

    def id_columns(self, *names: str) -> PlanBuilder:
        """The key of the target, as output columns."""
        self._ids = list(names)
        return self

    def route(self, variable: str, value: str) -> PlanBuilder:
        """Sets or overwrites a placeholder of the target path for all rows."""
        self._plan.route.append((variable, value))
        return self

    def row_route(self, variable: str) -> PlanBuilder:
        """Says that `process` may set this placeholder row by row, with `RowRoutes`."""
        return self.property(ROW_ROUTE, variable)

    def reads(self, *names: str) -> PlanBuilder:
        """The input columns that `process` gets, in this order; with it, `process` is called for every batch."""
        known = [self._known(name) for name in names]
        self._plan.reads = (self._plan.reads or []) + [at for at in known if at is not None]
        return self

    def property(self, key: str, value: str) -> PlanBuilder:
        """A documented key and its value; the host refuses keys that it does not know."""
        self._plan.properties.append((key, value))
        return self

    def build(self) -> Plan:
        """The plan; raises `plan` with every mistake."""
        self._put_in_order()
        self._check_names()
        self._resolve_ids()
        if self._mistakes:
            raise Failure("plan", "; ".join(self._mistakes))
        plan, fields = self._plan, self._table.fields
        if plan.reads is None and plan.computed_types:
            plan.reads = []
        plan.read_types = [fields[at].data_type for at in plan.reads or []]
        is_unchanged = len(self._columns) == len(fields) and all(
            column.source.tag == "input" and column.source.at == at and column.name == fields[at].name
            for at, column in enumerate(self._columns)
        )
        plan.output = None if is_unchanged else self._columns
        return plan

    def _put_in_order(self) -> None:
        first: list[Output] = []
        for name in self._order:
            at = next((at for at, column in enumerate(self._columns) if column.name == name), None)
            if at is not None:
                first.append(self._columns.pop(at))
            elif any(column.name == name for column in first):
                self._mistakes.append(f"`{name}` stands twice in the order")
            else:
                self._no_output("order", name)
        self._columns = first + self._columns

    def _check_names(self) -> None:
        seen: dict[str, str] = {}
        for column in self._columns:
            folded = column.name.lower()
            twin = seen.get(folded)
            if twin is None:
                seen[folded] = column.name
            else:
                text = f"the output has both `{twin}` and `{column.name}`: names must differ by more than case"
                self._mistakes.append(text)

    def _resolve_ids(self) -> None:
        if self._ids is not None:
            names = [column.name for column in self._columns]
            for name in self._ids:
                if name not in names:
                    self._no_output("id-columns", name)
            self._plan.id_columns = [names.index(name) for name in self._ids if name in names]
            return
        carried = {column.source.field for column in self._columns}
        for at in self._table.id_columns:
            if at not in carried:
                name = self._table.fields[at].name
                text = f"the id column `{name}` does not reach the output: keep it or name other id columns"
                self._mistakes.append(text)

    def _no_output(self, step: str, name: str) -> None:
        names = ", ".join(column.name for column in self._columns)
        where = f"{self._table.database}.{self._table.table}"
        self._mistakes.append(f"{step} names `{name}`, which the output of {where} has not (it has: {names})")

    def _slot(self, data_type: DataType, nullable: bool) -> Source:
        self._plan.computed_types.append(data_type)
        return Source("computed", len(self._plan.computed_types) - 1, data_type, nullable)

    def _known(self, name: str) -> int | None:
        at = self._table.find(name)
        if at is None:
            self._mistakes.append(self._table.unknown(name))
        return at

    def _column(self, name: str) -> Output | None:
        at = self._known(name)
        if at is None:
            return None
        column = next((column for column in self._columns if column.source.field == at), None)
        if column is None:
            self._mistakes.append(f"`{name}` was dropped or replaced by an earlier step")
        return column
