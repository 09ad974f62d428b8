// Hashes columns that name people and drops rows that nobody downstream may have. It must never let a value through that
// its configuration names, and never make two different keys equal.

import { Bitmap, ColumnBuilder, ConfigError, Edit, Failure, Plan, encodeUtf8, types } from "../../sluice.js";
import { sha256 } from "./sha256.js";

const texts = { type: "array", items: { type: "string" } };

class PiiMaskAndFilter {
  constructor({ mask = [], salt = "", drop = null }) {
    const error = new ConfigError();
    if (mask.length === 0 && !drop) error.add("", "nothing to do: give `mask` or `drop`");
    if (mask.length > 0 && salt === "") {
      error.add("/salt", "a hash without a salt is found out by trying: give a secret text");
    }
    error.throwIfAny();
    this.mask = mask;
    this.salt = encodeUtf8(`${salt}\0`);
    this.drop = drop && { column: drop.column, values: new Set(drop.values) };
  }

  plan(table) {
    const plan = Plan.of(table);
    const reads = [...this.mask];
    for (const name of this.mask) {
      const { field } = table.field(name);
      if (field.dataType.kind !== "utf8") {
        throw new Failure("mask-type", `\`${name}\` is ${field.dataType}, only utf8 can be masked`);
      }
      plan.replace(name, types.utf8, field.nullable);
    }
    let dropAt = -1;
    if (this.drop) {
      const { field } = table.field(this.drop.column);
      if (field.dataType.kind !== "utf8") {
        throw new Failure("drop-type", `\`${field.name}\` is ${field.dataType}, only utf8 can be compared`);
      }
      dropAt = reads.indexOf(field.name);
      if (dropAt < 0) dropAt = reads.push(field.name) - 1;
    }
    // A hashed key stays a key, but the plan has to say so.
    const ids = table.idColumns.map((at) => table.fields[at].name);
    if (ids.length > 0) plan.idColumns(...ids);
    return plan.reads(...reads).build().with(dropAt);
  }

  process(dropAt, batch) {
    let edit = new Edit();
    if (dropAt >= 0) {
      const column = batch.columns[dropAt];
      edit = Edit.keep(Bitmap.from(batch.rows, (row) => !this.drop.values.has(column.text(row))));
    }
    for (const column of batch.columns.slice(0, this.mask.length)) {
      const masked = new ColumnBuilder(types.utf8, batch.rows);
      for (let row = 0; row < batch.rows; row++) {
        const value = column.bytes(row);
        masked.push(value && this.hash(value));
      }
      edit.withColumn(masked);
    }
    return edit;
  }

  hash(value) {
    const bytes = new Uint8Array(this.salt.length + value.length);
    bytes.set(this.salt);
    bytes.set(value, this.salt.length);
    return sha256(bytes);
  }
}

export default {
  name: "pii-mask-and-filter",
  version: "0.1.0",
  configSchema: {
    type: "object",
    additionalProperties: false,
    properties: {
      mask: texts,
      salt: { type: "string" },
      drop: {
        type: "object",
        additionalProperties: false,
        required: ["column", "values"],
        properties: { column: { type: "string" }, values: texts },
      },
    },
  },
  configure: (config) => new PiiMaskAndFilter(config),
};
