"""Unit tests of the plugin: `python3 -m unittest`."""

import unittest

from plugin import KeepWhere
from sluice_guest.testing import run, table


class Plugin(unittest.TestCase):
    def test_only_rows_with_the_value_are_kept(self):
        orders = table("shop", "orders", {"id": "int64", "region": "utf8"}, ["id"])
        config = {"column": "region", "value": "eu"}
        rows = run(KeepWhere, config, orders, [[1, b"eu"], [2, b"us"], [3, None]])
        self.assertEqual([row.kept for row in rows], [True, False, False])
