"""The component's edge: the generated records to the SDK's and back. Only a component imports this module."""

from __future__ import annotations

import json
import struct
import traceback
from typing import Any

from componentize_py_types import Err
from wit_world.exports import transform as wire
from wit_world.imports import logging, types

from .edit import Edit
from .failure import ConfigError, Failure, Problem
from .instance import Instance
from .plan import Output, Plan
from .schema import KINDS, Attachment, DataType, Field, Limits, TableSchema, UniqueKey


def _wire_name(kind: str) -> str:
    return "DataType_" + "".join(part.capitalize() for part in kind.split("-"))


_WIRE = {kind: getattr(types, _wire_name(kind)) for kind in KINDS}
_KIND = {wire_class: kind for kind, wire_class in _WIRE.items()}


def log(level: str, message: str) -> None:
    """A line for the plugin's author (trace, debug, info, warn, error); never affects results."""
    logging.log(logging.Level[level.upper()], message)


def _read_type(data_type: Any) -> DataType:
    kind = _KIND[type(data_type)]
    if kind == "decimal":
        return DataType(kind, data_type.value.precision, data_type.value.scale)
    return DataType(kind)


def _write_type(data_type: DataType) -> Any:
    if data_type.kind == "decimal":
        return types.DataType_Decimal(types.DecimalType(data_type.precision, data_type.scale))
    return _WIRE[data_type.kind]()


def _read_table(table: Any) -> TableSchema:
    def read_field(field: Any) -> Field:
        return Field(field.name, _read_type(field.data_type), field.nullable, field.source_type, field.properties)

    keys = table.unique_keys
    return TableSchema(
        table.database, table.table, [read_field(field) for field in table.fields], table.primary_key,
        None if keys is None else [UniqueKey(key.name, key.fields) for key in keys],
        table.id_columns, table.route, table.properties,
    )


def _write_output(column: Output) -> Any:
    source = column.source
    if source.tag == "input":
        written: Any = wire.ColumnSource_Input(source.at)
    elif source.tag == "cast":
        written = wire.ColumnSource_Cast(wire.ColumnCast(source.at, _write_type(source.data_type)))
    elif source.tag == "computed":
        computed = wire.ComputedColumn(source.at, _write_type(source.data_type), source.nullable)
        written = wire.ColumnSource_Computed(computed)
    elif source.tag == "constant":
        written = wire.ColumnSource_Constant(wire.ConstantValue(_write_type(source.data_type), source.text))
    else:
        written = wire.ColumnSource_Metadata(source.text)
    return wire.OutputColumn(column.name, written)


def _write_plan(plan: Plan) -> Any:
    return wire.TablePlan(
        None if plan.output is None else [_write_output(column) for column in plan.output],
        plan.id_columns,
        plan.route,
        None if plan.reads is None else wire.ProcessPlan(plan.reads),
        plan.properties,
    )


def _write_edit(edit: Edit) -> Any:
    routing = None
    if edit.routes is not None and edit.routes.routes:
        rows = edit.routes.rows
        routing = wire.RowRouting(edit.routes.routes, struct.pack(f"<{len(rows)}I", *rows))
    return wire.Edit(
        None if edit.kept is None else edit.kept.to_bytes(),
        [types.Column(*column.finish()) for column in edit.computed],
        routing,
        [wire.RejectedRow(row, _write_failure(edit.rejected[row])) for row in sorted(edit.rejected)],
    )


def _write_failure(failure: Failure) -> Any:
    return types.Failure(failure.code, failure.detail)


def _failed(error: Exception) -> Failure:
    """A failure is an answer. Anything else is a defect of the plugin, and its place is logged."""
    if isinstance(error, Failure):
        return error
    log("error", "".join(traceback.format_exception(error)))
    return Failure("failure", f"{type(error).__name__}: {error}")


def export_transform(plugin: type) -> type:
    """The class that the component's module has to name `Transform`."""

    class Transform:
        """The component's functions."""

        def __init__(self) -> None:
            self._instance: Instance | None = None

        def describe(self) -> Any:
            schema = getattr(plugin, "config_schema", None)
            text = None if schema is None else json.dumps(schema)
            return wire.PluginInfo(plugin.name, plugin.version, text, [])

        def configure(self, config: str, attachments: list[Any], limits: Any) -> None:
            files = [Attachment(file.name, file.data) for file in attachments]
            bounds = Limits(limits.memory_bytes, limits.rows_max, limits.output_bytes_max)
            try:
                self._instance = Instance(plugin, json.loads(config), files, bounds)
                return
            except ConfigError as error:
                problems = error.problems
            except Exception as error:
                problems = [Problem("", _failed(error).detail)]
            raise Err(wire.ConfigError([wire.Problem(one.path, one.message) for one in problems]))

        def plan(self, table_id: int, table: Any) -> Any:
            try:
                decision = self._configured().plan(table_id, _read_table(table))
                if decision.plan is not None:
                    return wire.TableDecision_Apply(_write_plan(decision.plan))
            except Exception as error:
                raise Err(_write_failure(_failed(error))) from None
            if decision.tag == "exclude":
                return wire.TableDecision_Exclude()
            return wire.TableDecision_Pass()

        def process(self, table_id: int, row_count: int, columns: list[Any]) -> Any:
            try:
                buffers = [(column.validity, column.offsets, column.data) for column in columns]
                return _write_edit(self._configured().process(table_id, row_count, buffers))
            except Exception as error:
                raise Err(_write_failure(_failed(error))) from None

        def release(self, table_id: int) -> None:
            if self._instance is not None:
                self._instance.release(table_id)

        def _configured(self) -> Instance:
            if self._instance is None:
                raise Failure("not-configured", "the plugin was not configured")
            return self._instance

    instance = Transform()

    class Exported:
        """One plugin an instance of the component, however often the runtime makes its object."""

        describe = staticmethod(instance.describe)
        configure = staticmethod(instance.configure)
        plan = staticmethod(instance.plan)
        process = staticmethod(instance.process)
        release = staticmethod(instance.release)

    return Exported
