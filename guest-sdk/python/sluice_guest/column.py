"""Columns of a batch, and bitmaps of its rows. A row beyond the end reads as None."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from .failure import Failure
from .schema import DataType

FORMATS = {
    "int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q",
    "float32": "f", "float64": "d", "date": "i", "time-micros": "q", "timestamp-micros-utc": "q",
    "timestamp-micros-local": "q",
}


class Bitmap:
    """One bit for each row of a batch, least significant bit first; a whole number does the work of a word."""

    def __init__(self, rows: int, bits: int) -> None:
        self.rows = rows
        self.bits = bits & ((1 << rows) - 1)

    @staticmethod
    def filled(rows: int, bit: bool) -> Bitmap:
        """The same bit for every row."""
        return Bitmap(rows, -1 if bit else 0)

    @staticmethod
    def of(flags: list[bool]) -> Bitmap:
        """A bit from each row's flag."""
        text = "".join("1" if flag else "0" for flag in reversed(flags))
        return Bitmap(len(flags), int(text, 2) if text else 0)

    @staticmethod
    def from_bytes(raw: bytes, rows: int) -> Bitmap:
        """From the interface's form."""
        return Bitmap(rows, int.from_bytes(raw, "little"))

    def to_bytes(self) -> bytes:
        """The interface's form."""
        return self.bits.to_bytes((self.rows + 7) // 8, "little")

    def get(self, row: int) -> bool:
        """The bit of a row; beyond the end it is not set."""
        return 0 <= row < self.rows and bool(self.bits >> row & 1)

    def count(self) -> int:
        """How many bits are set."""
        return self.bits.bit_count()

    def flags(self) -> list[bool]:
        """All bits, row by row."""
        text = f"{self.bits:0{self.rows}b}" if self.rows else ""
        return [bit == "1" for bit in reversed(text)]

    def __and__(self, other: Bitmap) -> Bitmap:
        return Bitmap(self.rows, self.bits & other.bits)

    def __or__(self, other: Bitmap) -> Bitmap:
        return Bitmap(self.rows, self.bits | other.bits)

    def __invert__(self) -> Bitmap:
        return Bitmap(self.rows, ~self.bits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bitmap) and (self.rows, self.bits) == (other.rows, other.bits)

    __hash__ = None


class Column:
    """One column of a batch.

    Values: bool, int (dates are days, times and timestamps microseconds, decimals unscaled), float, and bytes for utf8,
    binary and json; `texts` decodes. NULL is None.
    """

    def __init__(
        self, validity: bytes | None, offsets: bytes, data: bytes, data_type: DataType, rows: int
    ) -> None:
        bits = (rows + 7) // 8
        if data_type.is_variable:
            fits = len(offsets) == (rows + 1) * 4
        else:
            fits = len(data) == (rows * data_type.width if data_type.width else bits)
        if not fits or (validity is not None and len(validity) != bits):
            raise Failure("column-length", f"a column of type {data_type} is not {rows} rows long")
        self.rows = rows
        self.data_type = data_type
        self._validity = None if validity is None else Bitmap.from_bytes(validity, rows)
        self._offsets = offsets
        self._data = data
        self._values: list[Any] | None = None

    def validity(self) -> Bitmap:
        """The rows that are not NULL."""
        return self._validity if self._validity is not None else Bitmap.filled(self.rows, True)

    def values(self) -> list[Any]:
        """All values in order: read once, as a whole, which is the fastest way here."""
        if self._values is None:
            values = self._slots()
            if self._validity is not None:
                flags = self._validity.flags()
                values = [value if flag else None for value, flag in zip(values, flags)]
            self._values = values
        return self._values

    def value(self, row: int) -> Any:
        """A value."""
        return self.values()[row] if 0 <= row < self.rows else None

    def texts(self) -> list[str | None]:
        """All values of utf8 or json as text."""
        if not self.data_type.is_text:
            raise Failure("column-type", f"a column of type {self.data_type} cannot be read as text")
        return [None if value is None else value.decode() for value in self.values()]

    def matching(self, accept: Callable[[Any], bool]) -> Bitmap:
        """The rows that are not NULL and that the function accepts."""
        return Bitmap.of([value is not None and bool(accept(value)) for value in self.values()])

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values())

    def _slots(self) -> list[Any]:
        kind, rows, data = self.data_type.kind, self.rows, self._data
        if kind == "boolean":
            return Bitmap.from_bytes(data, rows).flags()
        if kind == "decimal":
            parts = struct.iter_unpack("<Qq", data)
            return [high << 64 | low for low, high in parts]
        if self.data_type.is_variable:
            ends = struct.unpack(f"<{rows + 1}I", self._offsets)
            return [data[start:end] for start, end in zip(ends, ends[1:])]
        return list(struct.unpack(f"<{rows}{FORMATS[kind]}", data))


class Batch:
    """The rows of one call of `process`; columns are in the order of the plan's reads."""

    def __init__(self, rows: int, columns: list[Column]) -> None:
        self.rows = rows
        self.columns = columns
