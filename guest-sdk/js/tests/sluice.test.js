// Unit tests of the SDK: no host and no WebAssembly.
import assert from "node:assert/strict";
import test from "node:test";

import { Bitmap, Column, ColumnBuilder, DataType, Edit, Failure, Plan, RowRoutes, decodeUtf8, encodeUtf8, types } from "../sluice.js";
import { run, table } from "../testing.js";

const orders = table("shop", "orders", { id: types.int64, qty: types.int32, region: types.utf8 }, ["id"]);

test("every mistake of a plan is told at once", () => {
  assert.throws(() => Plan.of(orders).rename("quantity", "x").drop("id").rename("qty", "REGION").order("gone").build(), {
    code: "plan",
    detail:
      "table shop.orders has no column `quantity` (it has: id, qty, region); order names `gone`, which the output of shop.orders has not (it has: REGION, region); the output has both `REGION` and `region`: names must differ by more than case; the id column `id` does not reach the output: keep it or name other id columns",
  });
});

test("a plan that changes nothing has no output", () => {
  assert.equal(Plan.of(orders).build().output, null);
  assert.equal(Plan.of(orders).build().reads, null);
  const swapped = Plan.of(orders).rename("qty", "region").rename("region", "qty").build();
  assert.deepEqual(swapped.output.map(({ name }) => name), ["id", "region", "qty"]);
  assert.deepEqual(Plan.of(orders).computed("x", types.utf8).build().reads, []);
});

const samples = [
  [types.boolean, [true, null, false]], [types.int8, [-128, null, 127]], [types.uint8, [0, null, 255]],
  [types.int16, [-32768, null, 32767]], [types.uint16, [0, null, 65535]], [types.int32, [-(2 ** 31), null, 2 ** 31 - 1]],
  [types.uint32, [0, null, 2 ** 32 - 1]], [types.int64, [-(2n ** 63n), null, 2n ** 63n - 1n]],
  [types.uint64, [0n, null, 2n ** 64n - 1n]], [types.float32, [0.5, null, -1]], [types.float64, [1e300, null, -0.1]],
  [DataType.decimal(38, 2), [-(10n ** 37n), null, 10n ** 37n]], [types.date, [-1, null, 20000]],
  [types.timeMicros, [-3_020_399_000_000n, null, 1n]], [types.timestampMicrosUtc, [0n, null, 1n]],
  [types.utf8, ["", null, "h\u00e9llo \u{1F600}"]], [types.json, ["{}", null, "[1]"]],
];

test("what was pushed is read back, of every type", () => {
  for (const [dataType, values] of samples) {
    const builder = new ColumnBuilder(dataType, values.length);
    values.forEach((value) => builder.push(value));
    const column = new Column(builder.finish(), dataType, values.length);
    assert.deepEqual(values.map((_, row) => column.value(row)), values, String(dataType));
    assert.equal(column.value(values.length), null);
  }
});

test("buffers of another length are refused", () => {
  const none = new Uint8Array(0);
  for (const [buffers, dataType] of [
    [{ offsets: none, data: new Uint8Array(7) }, types.int32],
    [{ offsets: none, data: none }, types.boolean],
    [{ offsets: new Uint8Array(8), data: none }, types.utf8],
    [{ validity: none, offsets: none, data: new Uint8Array(8) }, types.int32],
  ]) {
    assert.throws(() => new Column(buffers, dataType, 2), { code: "column-length" });
  }
});

test("an edit that does not fit is named", () => {
  const plugin = (process) => ({ configure: () => ({ plan: (t) => Plan.of(t).computed("x", types.int8).build().with(null), process }) });
  assert.throws(() => run(plugin(() => new Edit()), {}, orders, [[1, 2, "a"]]), {
    detail: "the plan computes 1 columns, the edit has 0",
  });
  const wrong = () => new Edit().withColumn(new ColumnBuilder(types.utf8, 1).push("x"));
  assert.throws(() => run(plugin(wrong), {}, orders, [[1, 2, "a"]]), {
    detail: "computed column 0 is utf8 with 1 rows, planned is int8 with 1",
  });
});

test("an answer that depends on other rows is found", () => {
  const counting = { configure: () => ({ plan: (t) => Plan.of(t).reads("qty").build().with(null),
    process: (_, batch) => Edit.keep(Bitmap.from(batch.rows, (row) => row === 0)) }) };
  assert.throws(() => run(counting, {}, orders, [[1, 2, "a"], [2, 2, "a"]]), /row 1 alone is answered otherwise/);
});

test("bitmaps, routes, codes and text", () => {
  assert.equal(Bitmap.filled(70, true).count(), 70);
  assert.equal(Bitmap.filled(3, false).not().bytes[0], 0b111);
  const routes = new RowRoutes();
  assert.deepEqual([{ t: "a" }, { t: "b" }, { t: "a" }].map((r) => routes.route(r)), [0, 1, 0]);
  assert.equal(new Failure("Bad Value!", 1).code, "bad-value-");
  assert.equal(decodeUtf8(encodeUtf8("h\u00e9llo \u{1F600}")), "h\u00e9llo \u{1F600}");
});
