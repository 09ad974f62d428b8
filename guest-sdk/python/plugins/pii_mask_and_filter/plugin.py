"""Hashes columns that name people and drops rows that nobody downstream may have.

It must never let a value through that its configuration names, and never make two different keys equal.
"""

import hashlib

from sluice_guest import Bitmap, ColumnBuilder, ConfigError, DataType, Edit, Failure, Plan

_TEXTS = {"type": "array", "items": {"type": "string"}}


class PiiMaskAndFilter:
    """The plugin."""

    name, version = "pii-mask-and-filter", "0.1.0"
    config_schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "mask": _TEXTS,
            "salt": {"type": "string"},
            "drop": {
                "type": "object",
                "additionalProperties": False,
                "required": ["column", "values"],
                "properties": {"column": {"type": "string"}, "values": _TEXTS},
            },
        },
    }

    def __init__(self, config, _attachments, _limits):
        self.mask, self.drop = config.get("mask", []), config.get("drop")
        error = ConfigError()
        if not self.mask and self.drop is None:
            error.add("", "nothing to do: give `mask` or `drop`")
        if self.mask and not config.get("salt"):
            error.add("/salt", "a hash without a salt is found out by trying: give a secret text")
        error.raise_if_any()
        self.salt = config.get("salt", "").encode() + b"\0"
        self.dropped = {value.encode() for value in self.drop["values"]} if self.drop else set()

    def plan(self, table):
        plan = Plan.of(table)
        reads = list(self.mask)
        for name in self.mask:
            field = table.field(name)
            if field.data_type.kind != "utf8":
                raise Failure("mask-type", f"`{name}` is {field.data_type}, only utf8 can be masked")
            plan.replace(name, DataType("utf8"), field.nullable)
        drop_at = None
        if self.drop:
            field = table.field(self.drop["column"])
            if field.data_type.kind != "utf8":
                raise Failure("drop-type", f"`{field.name}` is {field.data_type}, only utf8 can be compared")
            if field.name not in reads:
                reads.append(field.name)
            drop_at = reads.index(field.name)
        # A hashed key stays a key, but the plan has to say so.
        if table.id_columns:
            plan.id_columns(*[table.fields[at].name for at in table.id_columns])
        return plan.reads(*reads).build().with_table(drop_at)

    def process(self, drop_at, batch):
        edit = Edit()
        if drop_at is not None:
            edit = Edit.keep(Bitmap.of([value not in self.dropped for value in batch.columns[drop_at]]))
        for column in batch.columns[: len(self.mask)]:
            hashed = [None if value is None else self.hash(value) for value in column]
            edit.with_column(ColumnBuilder(DataType("utf8"), hashed))
        return edit

    def hash(self, value):
        return hashlib.sha256(self.salt + value).hexdigest()
