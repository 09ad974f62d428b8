// Write Sluice plugins in JavaScript or TypeScript.
//
// A plugin is a pure function of its configuration, a table's schema and one row image. The host calls it for the images
// before and after a change and derives insert, update, delete and move from the answers. So an answer must never depend
// on other rows, earlier calls, the place of a row in its batch, the time or the instance.

/** What a module exports as `transform`, by `exportTransform` of `sluice-guest/export`. */
export interface PluginDefinition<Config = unknown, Table = unknown> {
  name: string;
  version: string;
  /** JSON Schema of the configuration; the host checks it before `configure`. */
  configSchema?: object;
  /** Once an instance. Throws a {@link ConfigError} with all mistakes at once. */
  configure(config: Config, attachments: Attachment[], limits: Limits): Transform<Table>;
}

export interface Transform<Table = unknown> {
  /** Once an instance and table schema; the same schema always gets the same plan. What it throws stops the pipeline. */
  plan(table: TableSchema): Decision<Table>;
  /**
   * For each batch of a table whose plan reads or computes something. A row that cannot be handled is rejected by the
   * edit; what this throws is a defect of the plugin and stops the pipeline.
   */
  process?(table: Table, batch: Batch): Edit;
}

/** A file that the manifest hands over. */
export interface Attachment { name: string; data: Uint8Array }
/** What the operator allows; for sizing buffers, never for answers. */
export interface Limits { memoryBytes: number; rowsMax: number; outputBytesMax: number }

/** Why a row or a table cannot be handled. The code is a constant of the plugin, `[a-z0-9-]{1,64}`, never a value. */
export class Failure extends Error {
  constructor(code: string, detail: unknown);
  readonly code: string;
  readonly detail: string;
}

export interface Problem { path: string; message: string }
/** All mistakes of a configuration at once, by JSON Pointer ("/columns/2", "" for all of it). */
export class ConfigError extends Error {
  constructor(problems?: Problem[]);
  problems: Problem[];
  add(path: string, message: string): this;
  throwIfAny(): void;
}

export type Kind =
  | "boolean" | "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64" | "float32" | "float64"
  | "decimal" | "date" | "time-micros" | "timestamp-micros-utc" | "timestamp-micros-local" | "utf8" | "binary" | "json";

/** The logical type of a column; wit/transform.wit says which types of MySQL arrive as which. */
export class DataType {
  constructor(kind: Kind, precision?: number, scale?: number);
  static decimal(precision: number, scale: number): DataType;
  readonly kind: Kind;
  readonly precision: number;
  readonly scale: number;
  readonly isVariable: boolean;
  readonly isText: boolean;
  readonly isInteger: boolean;
  equals(other: DataType): boolean;
}

export const types: {
  readonly boolean: DataType; readonly int8: DataType; readonly int16: DataType; readonly int32: DataType;
  readonly int64: DataType; readonly uint8: DataType; readonly uint16: DataType; readonly uint32: DataType;
  readonly uint64: DataType; readonly float32: DataType; readonly float64: DataType; readonly date: DataType;
  readonly timeMicros: DataType; readonly timestampMicrosUtc: DataType; readonly timestampMicrosLocal: DataType;
  readonly utf8: DataType; readonly binary: DataType; readonly json: DataType;
  decimal(precision: number, scale: number): DataType;
};

export type Pair = [key: string, value: string];
export interface Field { name: string; dataType: DataType; nullable: boolean; sourceType: string | null; properties: Pair[] }
export interface UniqueKey { name: string; fields: number[] }

/** A table as it reaches this plugin: the source's, or what the plugin before it made of it. */
export class TableSchema {
  constructor(table: Pick<TableSchema, "database" | "table" | "fields"> & Partial<TableSchema>);
  database: string;
  table: string;
  fields: Field[];
  /** Indexes into `fields`, in key order. null: not known. Empty: there is none. */
  primaryKey: number[] | null;
  uniqueKeys: UniqueKey[] | null;
  idColumns: number[];
  route: Pair[];
  properties: Pair[];
  find(name: string): { at: number; field: Field } | null;
  /** The same, where a missing column is a mistake: throws `unknown-column`, with the columns that there are. */
  field(name: string): { at: number; field: Field };
  /** Whether no column has this name, however it is written. */
  lacks(name: string): boolean;
  variable(name: string): string | null;
  differsByRow(variable: string): boolean;
}

export type Decision<Table = unknown> = { tag: "exclude" } | { tag: "pass" } | { tag: "apply"; plan: Plan; table: Table };
/** The table is not replicated; later plugins are not asked. */
export const EXCLUDE: { tag: "exclude" };
/** This plugin leaves the table alone. */
export const PASS: { tag: "pass" };

export class Plan {
  /** Starts from the table as it comes: all columns, same id columns, same route. */
  static of(table: TableSchema): PlanBuilder;
  /** The decision to apply this plan, with what `process` needs to know of the table. */
  with<Table>(table: Table): Decision<Table>;
}

/**
 * Steps that change a column (`rename`, `drop`, `cast`, `replace`, `reads`) name it as it comes IN; `order` and
 * `idColumns` name columns as they go OUT. Mistakes are collected and thrown together by `build`. A plan without reads
 * and computed columns costs nothing a row: `process` is never called.
 */
export interface PlanBuilder {
  rename(from: string, to: string): this;
  drop(name: string): this;
  keepOnly(...names: string[]): this;
  order(...names: string[]): this;
  /** The host converts; a value that does not fit rejects its row with the code `cast`. */
  cast(name: string, to: DataType): this;
  /** A new column that `process` makes. The edit gives computed columns in the order of `computed` and `replace`. */
  computed(name: string, dataType: DataType, nullable?: boolean): this;
  replace(name: string, dataType: DataType, nullable?: boolean): this;
  /** The same value in every row, in the text form of docs/reference/text-values.md; null is NULL. */
  constant(name: string, dataType: DataType, text: string | null): this;
  replaceConstant(name: string, dataType: DataType, text: string | null): this;
  /** A fact about the change, such as "op". */
  metadata(fact: string, name: string): this;
  idColumns(...names: string[]): this;
  route(variable: string, value: string): this;
  /** `process` may set this placeholder row by row, with {@link RowRoutes}. */
  rowRoute(variable: string): this;
  reads(...names: string[]): this;
  property(key: string, value: string): this;
  /** Throws a {@link Failure} with the code `plan` and every mistake. */
  build(): Plan;
}

/** One bit for each row of a batch. */
export class Bitmap {
  static filled(rows: number, bit: boolean): Bitmap;
  static from(rows: number, bit: (row: number) => boolean): Bitmap;
  readonly rows: number;
  get(row: number): boolean;
  count(): number;
  and(other: Bitmap): Bitmap;
  or(other: Bitmap): Bitmap;
  not(): Bitmap;
}

/** A value: int64, uint64, times, timestamps and (unscaled) decimals are bigint, dates are days since 1970-01-01. */
export type Value = boolean | number | bigint | string | Uint8Array | null;

/** One column of a batch; a row beyond the end reads as null. Valid within the call. */
export class Column {
  constructor(buffers: { validity?: Uint8Array | null; offsets: Uint8Array; data: Uint8Array }, dataType: DataType, rows: number);
  readonly rows: number;
  readonly dataType: DataType;
  isNull(row: number): boolean;
  /** utf8, json or binary, in place: much cheaper than `text`. */
  bytes(row: number): Uint8Array | null;
  text(row: number): string | null;
  value(row: number): Value;
  /** The rows that are not null and that the function accepts. */
  matching(accept: (value: Exclude<Value, null>) => boolean): Bitmap;
}

export interface Batch { readonly rows: number; readonly columns: Column[] }

/** Builds a computed column: one push a row. */
export class ColumnBuilder {
  constructor(dataType: DataType, rows: number);
  readonly dataType: DataType;
  readonly rows: number;
  push(value: Value | undefined): this;
  pushNull(): this;
}

/** The answer for one batch; everything is over ALL its rows. A new one keeps every row. */
export class Edit {
  static keep(bitmap: Bitmap): Edit;
  withColumn(builder: ColumnBuilder): this;
  withRoutes(routes: RowRoutes): this;
  /** A row that cannot be transformed; the first failure of a row counts. */
  reject(row: number, code: string, detail: string): this;
}

/** Route variables row by row. */
export class RowRoutes {
  /** The number of a set of variables; equal sets have the same number. */
  route(variables: Record<string, string>): number;
  push(route: number): void;
}

export function decodeUtf8(bytes: Uint8Array): string;
export function encodeUtf8(text: string): Uint8Array;
