import assert from "node:assert/strict";
import test from "node:test";

import plugin from "./plugin.js";
import { types } from "./sdk/sluice-guest/sluice.js";
import { run, table } from "./sdk/sluice-guest/testing.js";

test("only rows with the value are kept", () => {
  const orders = table("shop", "orders", { id: types.int64, region: types.utf8 }, ["id"]);
  const rows = run(plugin, { column: "region", value: "eu" }, orders, [[1, "eu"], [2, "us"], [3, null]]);
  assert.deepEqual(rows.map((row) => row.kept), [true, false, false]);
});
