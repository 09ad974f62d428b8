"""Unit tests of the SDK and of its plugin: no host and no WebAssembly."""

import hashlib
import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "plugins/pii_mask_and_filter")]

from plugin import PiiMaskAndFilter  # noqa: E402
from sluice_guest import Bitmap, Column, ColumnBuilder, ConfigError, DataType, Edit, Failure, Plan, RowRoutes, decimal  # noqa: E402
from sluice_guest.testing import run, table  # noqa: E402

ORDERS = table("shop", "orders", {"id": "int64", "qty": "int32", "region": "utf8"}, ["id"])

SAMPLES = {
    DataType("boolean"): [True, None, False], DataType("int8"): [-128, None, 127], DataType("uint8"): [0, None, 255],
    DataType("int16"): [-32768, None, 32767], DataType("uint32"): [0, None, 2**32 - 1],
    DataType("int64"): [-(2**63), None, 2**63 - 1], DataType("uint64"): [0, None, 2**64 - 1],
    DataType("float32"): [0.5, None, -1.0], DataType("float64"): [1e300, None, -0.1],
    decimal(38, 2): [-(10**37), None, 10**37], DataType("date"): [-1, None, 20000],
    DataType("time-micros"): [-3020399000000, None, 1], DataType("timestamp-micros-utc"): [0, None, 1],
    DataType("utf8"): [b"", None, "h\u00e9llo \U0001f600".encode()], DataType("binary"): [b"\xff", None, b""],
}


class Sdk(unittest.TestCase):
    def test_every_mistake_of_a_plan_is_told_at_once(self):
        with self.assertRaises(Failure) as raised:
            Plan.of(ORDERS).rename("quantity", "x").drop("id").rename("qty", "REGION").order("gone").build()
        self.assertEqual(
            str(raised.exception),
            "plan: table shop.orders has no column `quantity` (it has: id, qty, region); order names `gone`, which the "
            "output of shop.orders has not (it has: REGION, region); the output has both `REGION` and `region`: names must "
            "differ by more than case; the id column `id` does not reach the output: keep it or name other id columns",
        )

    def test_two_columns_of_one_name_are_a_mistake(self):
        with self.assertRaises(Failure) as raised:
            Plan.of(ORDERS).rename("qty", "region").build()
        self.assertIn("the output has both `region` and `region`", raised.exception.detail)

    def test_a_plan_that_changes_nothing_has_no_output(self):
        self.assertIsNone(Plan.of(ORDERS).build().output)
        self.assertIsNone(Plan.of(ORDERS).build().reads)
        swapped = Plan.of(ORDERS).rename("qty", "region").rename("region", "qty").build()
        self.assertEqual([column.name for column in swapped.output], ["id", "region", "qty"])
        self.assertEqual(Plan.of(ORDERS).computed("x", DataType("utf8")).build().reads, [])

    def test_what_was_pushed_is_read_back_of_every_type(self):
        for data_type, values in SAMPLES.items():
            column = Column(*ColumnBuilder(data_type, values).finish(), data_type, len(values))
            self.assertEqual(column.values(), values, data_type)
            self.assertIsNone(column.value(len(values)))

    def test_buffers_of_another_length_are_refused(self):
        cases = [
            (None, b"", bytes(7), "int32"), (None, b"", b"", "boolean"), (None, bytes(8), b"", "utf8"),
            (b"", b"", bytes(8), "int32"),
        ]
        for validity, offsets, data, kind in cases:
            with self.assertRaises(Failure):
                Column(validity, offsets, data, DataType(kind), 2)

    def test_an_answer_that_depends_on_other_rows_is_found(self):
        class First:
            def __init__(self, *_):
                pass

            def plan(self, schema):
                return Plan.of(schema).reads("qty").build().with_table(None)

            def process(self, _, batch):
                return Edit.keep(Bitmap.of([row == 0 for row in range(batch.rows)]))

        with self.assertRaisesRegex(AssertionError, "row 1 alone is answered otherwise"):
            run(First, {}, ORDERS, [[1, 2, b"a"], [2, 2, b"a"]])

    def test_bitmaps_routes_and_codes(self):
        self.assertEqual(Bitmap.filled(70, True).count(), 70)
        self.assertEqual((~Bitmap.filled(3, False)).to_bytes(), b"\x07")
        self.assertEqual(Bitmap.of([True, False, True]).flags(), [True, False, True])
        routes = RowRoutes()
        self.assertEqual([routes.route(t="a"), routes.route(t="b"), routes.route(t="a")], [0, 1, 0])
        self.assertEqual(Failure("Bad Value!").code, "bad-value-")


class Plugin(unittest.TestCase):
    def test_named_columns_are_hashed_and_named_rows_dropped(self):
        people = table("shop", "people", {"email": "utf8", "country": "utf8"})
        config = {"mask": ["email"], "salt": "s", "drop": {"column": "country", "values": ["SE"]}}
        rows = run(PiiMaskAndFilter, config, people, [[b"a@x.io", b"DE"], [None, None], [b"b@x.io", b"SE"]])
        self.assertEqual([row.kept for row in rows], [True, True, False])
        digest = hashlib.sha256(b"s\0a@x.io").hexdigest().encode()
        self.assertEqual([row.computed for row in rows[:2]], [[digest], [None]])

    def test_a_hash_without_a_salt_is_refused(self):
        with self.assertRaises(ConfigError) as raised:
            PiiMaskAndFilter({"mask": ["email"]}, [], None)
        self.assertEqual(raised.exception.problems[0].path, "/salt")


if __name__ == "__main__":
    unittest.main()
