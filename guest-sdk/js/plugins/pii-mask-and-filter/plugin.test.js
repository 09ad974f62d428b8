// Unit tests of the plugin: no host and no WebAssembly.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";

import { encodeUtf8, types } from "../../sluice.js";
import { run, table } from "../../testing.js";
import plugin from "./plugin.js";
import { sha256 } from "./sha256.js";

const people = table("shop", "people", { email: types.utf8, country: types.utf8 });

test("named columns are hashed and named rows dropped", () => {
  const config = { mask: ["email"], salt: "s", drop: { column: "country", values: ["SE"] } };
  const rows = run(plugin, config, people, [["a@x.io", "DE"], [null, null], ["b@x.io", "SE"]]);
  const hash = createHash("sha256").update("s\0a@x.io").digest("hex");
  assert.deepEqual(rows.map((row) => row.kept), [true, true, false]);
  assert.deepEqual(rows.slice(0, 2).map((row) => row.computed), [[hash], [null]]);
});

test("a hash without a salt is refused", () => {
  assert.throws(() => plugin.configure({ mask: ["email"] }), (error) => error.problems[0].path === "/salt");
});

test("the hash is SHA-256, whatever the length", () => {
  for (let length = 0; length < 200; length++) {
    const text = "x".repeat(length);
    assert.equal(sha256(encodeUtf8(text)), createHash("sha256").update(text).digest("hex"), `${length}`);
  }
});
