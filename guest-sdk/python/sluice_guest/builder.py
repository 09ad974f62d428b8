"""Builders of computed columns: one push a row."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from .column import FORMATS, Bitmap
from .schema import DataType


class ColumnBuilder:
    """Builds a computed column, from values as `Column` gives them; text is taken for utf8, json and binary, too."""

    def __init__(self, data_type: DataType, values: Iterable[Any] = ()) -> None:
        self.data_type = data_type
        self._values: list[Any] = list(values)

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self._values)

    def push(self, value: Any) -> None:
        """One more row; None is NULL."""
        self._values.append(value)

    def finish(self) -> tuple[bytes | None, bytes, bytes]:
        """Validity, offsets and data, as the interface has them."""
        values, kind = self._values, self.data_type.kind
        validity = None
        if any(value is None for value in values):
            validity = Bitmap.of([value is not None for value in values]).to_bytes()
        if self.data_type.is_variable:
            parts = [value.encode() if isinstance(value, str) else value or b"" for value in values]
            ends = [0]
            for part in parts:
                ends.append(ends[-1] + len(part))
            return validity, struct.pack(f"<{len(ends)}I", *ends), b"".join(parts)
        if kind == "boolean":
            return validity, b"", Bitmap.of([bool(value) for value in values]).to_bytes()
        slots = [value or 0 for value in values]
        if kind == "decimal":
            return validity, b"", b"".join(value.to_bytes(16, "little", signed=True) for value in slots)
        return validity, b"", struct.pack(f"<{len(slots)}{FORMATS[kind]}", *slots)
