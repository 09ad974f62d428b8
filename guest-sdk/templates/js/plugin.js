// Keeps the rows whose column has one value.
import { Bitmap, Edit, Plan } from "./sdk/sluice-guest/sluice.js";

class KeepWhere {
  constructor({ column, value }) {
    this.column = column;
    this.value = value;
  }

  plan(table) {
    return Plan.of(table).reads(this.column).build().with(null);
  }

  process(_table, batch) {
    const [column] = batch.columns;
    return Edit.keep(Bitmap.from(batch.rows, (row) => column.text(row) === this.value));
  }
}

export default {
  name: "@NAME@",
  version: "0.1.0",
  configSchema: {
    type: "object",
    required: ["column", "value"],
    additionalProperties: false,
    properties: { column: { type: "string" }, value: { type: "string" } },
  },
  configure: (config) => new KeepWhere(config),
};
