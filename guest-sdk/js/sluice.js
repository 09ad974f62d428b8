// What a plugin is made of: tables, plans, columns, builders, edits. It runs in any JavaScript engine, so that unit tests
// need no host. The documentation is in sluice.d.ts.

const WIDTHS = {
  boolean: 0, int8: 1, int16: 2, int32: 4, int64: 8, uint8: 1, uint16: 2, uint32: 4, uint64: 8, float32: 4, float64: 8,
  decimal: 16, date: 4, "time-micros": 8, "timestamp-micros-utc": 8, "timestamp-micros-local": 8, utf8: 0, binary: 0, json: 0,
};
const ROW_ROUTE = "row-route";

export class Failure extends Error {
  constructor(code, detail) {
    super(`${code}: ${detail}`);
    this.code = code.toLowerCase().replace(/[^a-z0-9-]/g, "-").slice(0, 64) || "failure";
    this.detail = String(detail);
  }

  static of(error) {
    return error instanceof Failure ? error : new Failure("failure", error?.message ?? String(error));
  }
}

export class ConfigError extends Error {
  constructor(problems = []) {
    super("the configuration has mistakes");
    this.problems = problems;
  }

  add(path, message) {
    this.problems.push({ path, message });
    return this;
  }

  throwIfAny() {
    if (this.problems.length > 0) throw this;
  }
}

// ---- types and tables

export class DataType {
  constructor(kind, precision = 0, scale = 0) {
    this.kind = kind;
    this.precision = precision;
    this.scale = scale;
    Object.freeze(this);
  }

  static decimal(precision, scale) {
    return new DataType("decimal", precision, scale);
  }

  get width() {
    return WIDTHS[this.kind];
  }

  get isVariable() {
    return this.kind === "utf8" || this.kind === "binary" || this.kind === "json";
  }

  get isText() {
    return this.kind === "utf8" || this.kind === "json";
  }

  get isInteger() {
    return /^u?int(8|16|32|64)$/.test(this.kind);
  }

  equals(other) {
    return this.kind === other.kind && this.precision === other.precision && this.scale === other.scale;
  }

  toString() {
    return this.kind === "decimal" ? `decimal(${this.precision},${this.scale})` : this.kind;
  }
}

export const types = Object.freeze({
  boolean: new DataType("boolean"), int8: new DataType("int8"), int16: new DataType("int16"),
  int32: new DataType("int32"), int64: new DataType("int64"), uint8: new DataType("uint8"),
  uint16: new DataType("uint16"), uint32: new DataType("uint32"), uint64: new DataType("uint64"),
  float32: new DataType("float32"), float64: new DataType("float64"), date: new DataType("date"),
  timeMicros: new DataType("time-micros"), timestampMicrosUtc: new DataType("timestamp-micros-utc"),
  timestampMicrosLocal: new DataType("timestamp-micros-local"), utf8: new DataType("utf8"),
  binary: new DataType("binary"), json: new DataType("json"), decimal: DataType.decimal,
});

export class TableSchema {
  constructor({ database, table, fields, primaryKey = null, uniqueKeys = null, idColumns = [], route = [], properties = [] }) {
    Object.assign(this, { database, table, fields, primaryKey, uniqueKeys, idColumns, route, properties });
  }

  find(name) {
    const at = this.fields.findIndex((field) => field.name === name);
    return at < 0 ? null : { at, field: this.fields[at] };
  }

  field(name) {
    const found = this.find(name);
    if (!found) throw new Failure("unknown-column", this.unknown(name));
    return found;
  }

  lacks(name) {
    return !this.find(name) && !this.twin(name);
  }

  variable(name) {
    return this.route.find(([key]) => key === name)?.[1] ?? null;
  }

  differsByRow(variable) {
    return this.properties.some(([key, name]) => key === ROW_ROUTE && name === variable);
  }

  twin(name) {
    return this.fields.find((f) => f.name !== name && f.name.toLowerCase() === name.toLowerCase());
  }

  unknown(name) {
    const names = this.fields.map((field) => field.name).join(", ");
    const twin = this.twin(name);
    const hint = twin ? `; \`${twin.name}\` differs in case only` : "";
    return `table ${this.database}.${this.table} has no column \`${name}\` (it has: ${names})${hint}`;
  }
}

// ---- plans

export const EXCLUDE = Object.freeze({ tag: "exclude" });
export const PASS = Object.freeze({ tag: "pass" });

export class Plan {
  static of(table) {
    return new PlanBuilder(table);
  }

  with(table) {
    return { tag: "apply", plan: this, table };
  }
}

const fieldOf = ({ source }) => (source.tag === "input" || source.tag === "cast" ? source.field : -1);

class PlanBuilder {
  #table;
  #columns;
  #order = [];
  #ids = null;
  #slots = [];
  #route = [];
  #reads = null;
  #properties = [];
  #mistakes = [];

  constructor(table) {
    this.#table = table;
    this.#columns = table.fields.map(({ name }, field) => ({ name, source: { tag: "input", field } }));
  }

  rename(from, to) {
    const column = this.#column(from);
    if (column) column.name = to;
    return this;
  }

  drop(name) {
    const at = this.#known(name);
    if (at >= 0) this.#columns = this.#columns.filter((column) => fieldOf(column) !== at);
    return this;
  }

  keepOnly(...names) {
    const kept = names.map((name) => this.#known(name));
    this.#columns = this.#columns.filter((column) => fieldOf(column) < 0 || kept.includes(fieldOf(column)));
    return this;
  }

  order(...names) {
    this.#order.push(...names);
    return this;
  }

  cast(name, to) {
    const column = this.#column(name);
    if (column) column.source = { tag: "cast", field: fieldOf(column), to };
    return this;
  }

  computed(name, dataType, nullable = true) {
    this.#columns.push({ name, source: this.#slot(dataType, nullable) });
    return this;
  }

  replace(name, dataType, nullable = true) {
    const source = this.#slot(dataType, nullable);
    const column = this.#column(name);
    if (column) column.source = source;
    return this;
  }

  constant(name, dataType, text) {
    this.#columns.push({ name, source: { tag: "constant", dataType, text } });
    return this;
  }

  replaceConstant(name, dataType, text) {
    const column = this.#column(name);
    if (column) column.source = { tag: "constant", dataType, text };
    return this;
  }

  metadata(fact, name) {
    this.#columns.push({ name, source: { tag: "metadata", fact } });
    return this;
  }

  idColumns(...names) {
    this.#ids = names;
    return this;
  }

  route(variable, value) {
    this.#route.push([variable, value]);
    return this;
  }

  rowRoute(variable) {
    return this.property(ROW_ROUTE, variable);
  }

  reads(...names) {
    this.#reads ??= [];
    this.#reads.push(...names.map((name) => this.#known(name)).filter((at) => at >= 0));
    return this;
  }

  property(key, value) {
    this.#properties.push([key, value]);
    return this;
  }

  build() {
    this.#putInOrder();
    this.#checkNames();
    const idColumns = this.#resolveIds();
    if (this.#mistakes.length > 0) throw new Failure("plan", this.#mistakes.join("; "));
    const fields = this.#table.fields;
    const same = ({ name, source }, at) => source.tag === "input" && source.field === at && name === fields[at].name;
    const isUnchanged = this.#columns.length === fields.length && this.#columns.every(same);
    const reads = this.#reads ?? (this.#slots.length > 0 ? [] : null);
    return Object.assign(new Plan(), {
      output: isUnchanged ? null : this.#columns,
      idColumns,
      route: this.#route,
      reads,
      readTypes: (reads ?? []).map((at) => fields[at].dataType),
      computedTypes: this.#slots,
      properties: this.#properties,
    });
  }

  #putInOrder() {
    const first = [];
    for (const name of this.#order) {
      const at = this.#columns.findIndex((column) => column.name === name);
      if (at >= 0) first.push(...this.#columns.splice(at, 1));
      else if (first.some((column) => column.name === name)) this.#mistakes.push(`\`${name}\` stands twice in the order`);
      else this.#noOutput("order", name);
    }
    this.#columns.unshift(...first);
  }

  #checkNames() {
    this.#columns.forEach(({ name }, at) => {
      const twin = this.#columns.slice(0, at).find((c) => c.name.toLowerCase() === name.toLowerCase());
      if (twin) this.#mistakes.push(`the output has both \`${twin.name}\` and \`${name}\`: names must differ by more than case`);
    });
  }

  #resolveIds() {
    if (this.#ids) {
      return this.#ids.map((name) => {
        const at = this.#columns.findIndex((column) => column.name === name);
        if (at < 0) this.#noOutput("id-columns", name);
        return at;
      });
    }
    for (const id of this.#table.idColumns) {
      if (this.#columns.some((column) => fieldOf(column) === id)) continue;
      const { name } = this.#table.fields[id];
      this.#mistakes.push(`the id column \`${name}\` does not reach the output: keep it or name other id columns`);
    }
    return null;
  }

  #noOutput(step, name) {
    const { database, table } = this.#table;
    const names = this.#columns.map((column) => column.name).join(", ");
    this.#mistakes.push(`${step} names \`${name}\`, which the output of ${database}.${table} has not (it has: ${names})`);
  }

  #slot(dataType, nullable) {
    this.#slots.push(dataType);
    return { tag: "computed", slot: this.#slots.length - 1, dataType, nullable };
  }

  #known(name) {
    const found = this.#table.find(name);
    if (!found) this.#mistakes.push(this.#table.unknown(name));
    return found ? found.at : -1;
  }

  #column(name) {
    const at = this.#known(name);
    if (at < 0) return null;
    const column = this.#columns.find((c) => fieldOf(c) === at);
    if (!column) this.#mistakes.push(`\`${name}\` was dropped or replaced by an earlier step`);
    return column;
  }
}

// ---- columns

export class Bitmap {
  constructor(rows, bytes = new Uint8Array((rows + 7) >> 3)) {
    this.rows = rows;
    this.bytes = bytes;
  }

  static filled(rows, bit) {
    const map = new Bitmap(rows);
    if (bit) map.bytes.fill(0xff);
    return map.#trimmed();
  }

  static from(rows, bit) {
    const map = new Bitmap(rows);
    for (let row = 0; row < rows; row++) if (bit(row)) map.bytes[row >> 3] |= 1 << (row & 7);
    return map;
  }

  get(row) {
    return row < this.rows && ((this.bytes[row >> 3] >> (row & 7)) & 1) === 1;
  }

  count() {
    let count = 0;
    for (let row = 0; row < this.rows; row++) if (this.get(row)) count++;
    return count;
  }

  and(other) {
    return new Bitmap(this.rows, this.bytes.map((byte, at) => byte & other.bytes[at])).#trimmed();
  }

  or(other) {
    return new Bitmap(this.rows, this.bytes.map((byte, at) => byte | other.bytes[at])).#trimmed();
  }

  not() {
    return new Bitmap(this.rows, this.bytes.map((byte) => ~byte)).#trimmed();
  }

  #trimmed() {
    if (this.rows & 7) this.bytes[this.bytes.length - 1] &= (1 << (this.rows & 7)) - 1;
    return this;
  }
}

export class Column {
  #view;
  #offsets;

  constructor(buffers, dataType, rows) {
    const { validity = null, offsets, data } = buffers;
    const bits = (rows + 7) >> 3;
    let fits = data.length === bits;
    if (dataType.isVariable) fits = offsets.length === (rows + 1) * 4;
    else if (dataType.width > 0) fits = data.length === rows * dataType.width;
    if (!fits || (validity && validity.length !== bits)) {
      throw new Failure("column-length", `a column of type ${dataType} is not ${rows} rows long`);
    }
    this.rows = rows;
    this.dataType = dataType;
    this.data = data;
    this.validity = validity;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (dataType.isVariable) {
      const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.byteLength);
      this.#offsets = new Uint32Array(rows + 1);
      for (let at = 0; at <= rows; at++) this.#offsets[at] = view.getUint32(at * 4, true);
    }
  }

  isNull(row) {
    return row >= this.rows || (this.validity !== null && ((this.validity[row >> 3] >> (row & 7)) & 1) === 0);
  }

  bytes(row) {
    if (!this.dataType.isVariable) throw this.#wrong("bytes");
    return this.isNull(row) ? null : this.data.subarray(this.#offsets[row], this.#offsets[row + 1]);
  }

  text(row) {
    if (!this.dataType.isText) throw this.#wrong("text");
    return this.isNull(row) ? null : decodeUtf8(this.bytes(row));
  }

  value(row) {
    if (this.isNull(row)) return null;
    const view = this.#view;
    switch (this.dataType.kind) {
      case "boolean": return ((this.data[row >> 3] >> (row & 7)) & 1) === 1;
      case "int8": return view.getInt8(row);
      case "int16": return view.getInt16(row * 2, true);
      case "int32": case "date": return view.getInt32(row * 4, true);
      case "uint8": return view.getUint8(row);
      case "uint16": return view.getUint16(row * 2, true);
      case "uint32": return view.getUint32(row * 4, true);
      case "uint64": return view.getBigUint64(row * 8, true);
      case "float32": return view.getFloat32(row * 4, true);
      case "float64": return view.getFloat64(row * 8, true);
      case "decimal": return (view.getBigInt64(row * 16 + 8, true) << 64n) | view.getBigUint64(row * 16, true);
      case "utf8": case "json": return this.text(row);
      case "binary": return this.bytes(row);
      default: return view.getBigInt64(row * 8, true);
    }
  }

  matching(accept) {
    return Bitmap.from(this.rows, (row) => !this.isNull(row) && accept(this.value(row)));
  }

  #wrong(asked) {
    return new Failure("column-type", `a column of type ${this.dataType} cannot be read as ${asked}`);
  }
}

export class Batch {
  constructor(rows, buffers, readTypes) {
    if (buffers.length !== readTypes.length) {
      throw new Failure("column-count", `the plan reads ${readTypes.length} columns, ${buffers.length} came`);
    }
    this.rows = rows;
    this.columns = buffers.map((column, at) => new Column(column, readTypes[at], rows));
  }
}

// ---- builders and edits

export class ColumnBuilder {
  #validity = null;
  #ends = [0];
  #chunks = [];
  #bytes = 0;
  #view;

  constructor(dataType, rows) {
    this.dataType = dataType;
    this.capacity = rows;
    this.rows = 0;
    if (!dataType.isVariable) {
      this.#chunks = new Uint8Array(dataType.width > 0 ? rows * dataType.width : (rows + 7) >> 3);
      this.#view = new DataView(this.#chunks.buffer);
    }
  }

  push(value) {
    if (value === null || value === undefined) return this.pushNull();
    if (this.rows >= this.capacity) throw new Failure("edit", `more than the ${this.capacity} rows of the batch`);
    if (this.dataType.isVariable) {
      const bytes = typeof value === "string" ? encodeUtf8(value) : value;
      this.#chunks.push(bytes);
      this.#bytes += bytes.length;
    } else {
      this.#number(this.rows, value);
    }
    return this.#row(true);
  }

  pushNull() {
    if (this.rows >= this.capacity) throw new Failure("edit", `more than the ${this.capacity} rows of the batch`);
    return this.#row(false);
  }

  finish() {
    if (this.rows !== this.capacity) throw new Failure("edit", `a computed column has ${this.rows} rows, the batch ${this.capacity}`);
    if (!this.dataType.isVariable) return { validity: this.#validity, offsets: new Uint8Array(0), data: this.#chunks };
    const data = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      data.set(chunk, at);
      at += chunk.length;
    }
    const offsets = new Uint8Array(this.#ends.length * 4);
    const view = new DataView(offsets.buffer);
    this.#ends.forEach((end, place) => view.setUint32(place * 4, end, true));
    return { validity: this.#validity, offsets, data };
  }

  #row(isThere) {
    if (!isThere && !this.#validity) this.#validity = Bitmap.filled(this.capacity, true).bytes;
    if (!isThere) this.#validity[this.rows >> 3] &= ~(1 << (this.rows & 7));
    if (this.dataType.isVariable) this.#ends.push(this.#bytes);
    this.rows++;
    return this;
  }

  #number(row, value) {
    const view = this.#view;
    switch (this.dataType.kind) {
      case "boolean":
        if (value) this.#chunks[row >> 3] |= 1 << (row & 7);
        return;
      case "int8": case "uint8": return view.setUint8(row, Number(value));
      case "int16": case "uint16": return view.setUint16(row * 2, Number(value), true);
      case "int32": case "uint32": case "date": return view.setUint32(row * 4, Number(value), true);
      case "float32": return view.setFloat32(row * 4, Number(value), true);
      case "float64": return view.setFloat64(row * 8, Number(value), true);
      case "decimal":
        view.setBigUint64(row * 16, BigInt.asUintN(64, BigInt(value)), true);
        return view.setBigInt64(row * 16 + 8, BigInt.asIntN(64, BigInt(value) >> 64n), true);
      default: return view.setBigInt64(row * 8, BigInt.asIntN(64, BigInt(value)), true);
    }
  }
}

export class Edit {
  kept = null;
  computed = [];
  routing = null;
  rejected = new Map();

  static keep(bitmap) {
    const edit = new Edit();
    edit.kept = bitmap;
    return edit;
  }

  withColumn(builder) {
    this.computed.push(builder);
    return this;
  }

  withRoutes(routes) {
    this.routing = routes;
    return this;
  }

  reject(row, code, detail) {
    if (!this.rejected.has(row)) this.rejected.set(row, new Failure(code, detail));
    return this;
  }
}

export class RowRoutes {
  routes = [];
  rows = [];
  #known = new Map();

  route(variables) {
    const pairs = Object.entries(variables);
    const key = JSON.stringify(pairs);
    if (!this.#known.has(key)) {
      this.#known.set(key, this.routes.length);
      this.routes.push(pairs);
    }
    return this.#known.get(key);
  }

  push(route) {
    this.rows.push(route);
  }
}

// ---- text

const decoder = typeof TextDecoder === "undefined" ? null : new TextDecoder();
const encoder = typeof TextEncoder === "undefined" ? null : new TextEncoder();

export function decodeUtf8(bytes) {
  if (decoder) return decoder.decode(bytes);
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++];
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    let point = first < 0xe0 ? first & 0x1f : first < 0xf0 ? first & 0x0f : first & 0x07;
    for (let more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3; more > 0; more--) point = (point << 6) | (bytes[at++] & 0x3f);
    text += String.fromCodePoint(point);
  }
  return text;
}

export function encodeUtf8(text) {
  if (encoder) return encoder.encode(text);
  const bytes = [];
  for (const char of text) {
    const point = char.codePointAt(0);
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    else bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
  }
  return Uint8Array.from(bytes);
}
