"""Tables as a plugin sees them: names, types, keys, id columns, route. The shapes are those of wit/transform.wit."""

from dataclasses import dataclass, field

from .failure import Failure

ROW_ROUTE = "row-route"

WIDTHS = {
    "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "float32": 4,
    "float64": 8, "decimal": 16, "date": 4, "time-micros": 8, "timestamp-micros-utc": 8, "timestamp-micros-local": 8,
}
KINDS = ["boolean", *WIDTHS, "utf8", "binary", "json"]


@dataclass(frozen=True)
class DataType:
    """The logical type of a column; wit/transform.wit says which types of MySQL arrive as which."""

    kind: str
    precision: int = 0
    scale: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no type `{self.kind}` (there are: {', '.join(KINDS)})")

    @property
    def width(self) -> int:
        """Bytes of a value; 0 for booleans and for the types with offsets."""
        return WIDTHS.get(self.kind, 0)

    @property
    def is_variable(self) -> bool:
        """Whether values are offsets and bytes."""
        return self.kind in ("utf8", "binary", "json")

    @property
    def is_text(self) -> bool:
        """Whether values are text."""
        return self.kind in ("utf8", "json")

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})" if self.kind == "decimal" else self.kind


def decimal(precision: int, scale: int) -> DataType:
    """The decimal type of this precision (1 to 38) and scale."""
    return DataType("decimal", precision, scale)


@dataclass(frozen=True)
class Attachment:
    """A file that the manifest hands over."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Limits:
    """What the operator allows; for sizing buffers, never for answers."""

    memory_bytes: int
    rows_max: int
    output_bytes_max: int


@dataclass(frozen=True)
class Field:
    """One column of a table. `source_type` is None for a column that an earlier plugin made."""

    name: str
    data_type: DataType
    nullable: bool = True
    source_type: str | None = None
    properties: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class UniqueKey:
    """A key that identifies a row: indexes into the table's fields."""

    name: str
    fields: list[int]


@dataclass
class TableSchema:
    """A table as it reaches this plugin: the source's, or what the plugin before it made of it.

    `primary_key` and `unique_keys`: None where they are not known, empty where there is none.
    """

    database: str
    table: str
    fields: list[Field]
    primary_key: list[int] | None = None
    unique_keys: list[UniqueKey] | None = None
    id_columns: list[int] = field(default_factory=list)
    route: list[tuple[str, str]] = field(default_factory=list)
    properties: list[tuple[str, str]] = field(default_factory=list)

    def find(self, name: str) -> int | None:
        """A field's index, by exact name."""
        return next((at for at, one in enumerate(self.fields) if one.name == name), None)

    def field(self, name: str) -> Field:
        """A field, where a missing one is a mistake: raises `unknown-column`, with the columns that there are."""
        at = self.find(name)
        if at is None:
            raise Failure("unknown-column", self.unknown(name))
        return self.fields[at]

    def lacks(self, name: str) -> bool:
        """Whether no column has this name, however it is written: `Email` for `email` is a slip."""
        return self.find(name) is None and self._twin(name) is None

    def variable(self, name: str) -> str | None:
        """The value of a route variable as the plugins before this one left it."""
        return dict(self.route).get(name)

    def differs_by_row(self, variable: str) -> bool:
        """Whether a plugin before this one sets a route variable row by row."""
        return (ROW_ROUTE, variable) in [tuple(pair) for pair in self.properties]

    def unknown(self, name: str) -> str:
        """Says that there is no such column."""
        names = ", ".join(one.name for one in self.fields)
        twin = self._twin(name)
        hint = f"; `{twin}` differs in case only" if twin else ""
        return f"table {self.database}.{self.table} has no column `{name}` (it has: {names}){hint}"

    def _twin(self, name: str) -> str | None:
        folded = name.lower()
        return next((one.name for one in self.fields if one.name != name and one.name.lower() == folded), None)
