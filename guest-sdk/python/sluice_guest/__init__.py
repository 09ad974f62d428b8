"""Write Sluice plugins in Python.

A plugin is a pure function of its configuration, a table's schema and one row image. The host calls it for the images
before and after a change and derives insert, update, delete and move from the answers. So an answer must never depend on
other rows, earlier calls, the place of a row in its batch, the time or the instance.

A plugin is a class with `plan` and `process`, made from its configuration:

    class Region:
        name, version = "region", "0.1.0"

        def __init__(self, config, attachments, limits):
            self.wanted = config["name"].encode()

        def plan(self, table):
            return Plan.of(table).rename("qty", "quantity").reads("region").build().with_table(None)

        def process(self, table, batch):
            return Edit.keep(batch.columns[0].matching(lambda region: region == self.wanted))

and the module that the component is made of exports it:

    from sluice_guest.export import export_transform
    Transform = export_transform(Region)
"""

from .builder import ColumnBuilder
from .column import Batch, Bitmap, Column
from .edit import Edit, RowRoutes
from .failure import ConfigError, Failure, Problem
from .plan import EXCLUDE, PASS, Decision, Plan
from .schema import Attachment, DataType, Field, Limits, TableSchema, UniqueKey, decimal

__all__ = [
    "EXCLUDE", "PASS", "Attachment", "Batch", "Bitmap", "Column", "ColumnBuilder", "ConfigError", "DataType", "Decision",
    "Edit", "Failure", "Field", "Limits", "Plan", "Problem", "RowRoutes", "TableSchema", "UniqueKey", "decimal",
]
