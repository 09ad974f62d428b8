"""Keeps the rows whose column has one value."""

from sluice_guest import Edit, Plan


class KeepWhere:
    """The plugin."""

    name, version = "@NAME@", "0.1.0"
    config_schema = {
        "type": "object",
        "required": ["column", "value"],
        "additionalProperties": False,
        "properties": {"column": {"type": "string"}, "value": {"type": "string"}},
    }

    def __init__(self, config, attachments, limits):
        self.column, self.value = config["column"], config["value"].encode()

    def plan(self, table):
        return Plan.of(table).reads(self.column).build().with_table(None)

    def process(self, table, batch):
        return Edit.keep(batch.columns[0].matching(lambda value: value == self.value))
