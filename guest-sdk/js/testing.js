// A plugin's unit tests without a host: tables and rows from literals, plan and process run, the outcome read back. Every
// run is done three times, over the whole batch, row by row and in a fresh instance, and must give the same answer each
// time, as the host's replays demand.

import { Instance } from "./instance.js";
import { Column, ColumnBuilder, TableSchema } from "./sluice.js";

/** A table of nullable columns: table("shop", "orders", { id: types.int64 }, ["id"]). */
export function table(database, name, columns, idColumns = []) {
  const names = Object.keys(columns);
  return new TableSchema({
    database,
    table: name,
    fields: names.map((column) => ({
      name: column, dataType: columns[column], nullable: !idColumns.includes(column), sourceType: null, properties: [],
    })),
    primaryKey: idColumns.map((id) => names.indexOf(id)),
    uniqueKeys: [],
    idColumns: idColumns.map((id) => names.indexOf(id)),
    route: [["db", database], ["table", name]],
  });
}

const LIMITS = { memoryBytes: 64 << 20, rowsMax: 65_536, outputBytesMax: 64 << 20 };

/** Plans a table and processes rows (arrays in the table's column order): one outcome a row. */
export function run(definition, config, schema, rows) {
  const whole = once(definition, config, schema, rows);
  const again = once(definition, config, schema, rows);
  const text = (value) => JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `${v}n` : v));
  if (text(whole) !== text(again)) throw new Error("impure: a fresh instance answers otherwise");
  rows.forEach((row, at) => {
    const [alone] = once(definition, config, schema, [row]);
    if (text(alone) !== text(whole[at])) throw new Error(`impure: row ${at} alone is answered otherwise`);
  });
  return whole;
}

function once(definition, config, schema, rows) {
  const instance = new Instance(definition, config, [], LIMITS);
  const decision = instance.plan(0, schema);
  if (decision.tag === "exclude") return rows.map(() => ({ kept: false, computed: [], route: {}, rejected: null }));
  const reads = decision.plan?.reads;
  const columns = (reads ?? []).map((at) => {
    const builder = new ColumnBuilder(schema.fields[at].dataType, rows.length);
    rows.forEach((row) => builder.push(row[at]));
    return builder.finish();
  });
  const edit = reads ? instance.process(0, rows.length, columns) : null;
  const computed = (edit?.computed ?? []).map((built) => new Column(built.finish(), built.dataType, rows.length));
  return rows.map((_, row) => ({
    kept: !edit?.rejected.has(row) && (edit?.kept?.get(row) ?? true),
    computed: computed.map((column) => column.value(row)),
    route: Object.fromEntries(edit?.routing?.routes[edit.routing.rows[row]] ?? []),
    rejected: edit?.rejected.get(row)?.code ?? null,
  }));
}
