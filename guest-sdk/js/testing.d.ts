// A plugin's unit tests without a host.
import type { DataType, PluginDefinition, TableSchema, Value } from "./sluice.js";

export interface Outcome { kept: boolean; computed: Value[]; route: Record<string, string>; rejected: string | null }
/** A table of columns that are nullable unless they identify a row. */
export function table(database: string, name: string, columns: Record<string, DataType>, idColumns?: string[]): TableSchema;
/** Over the whole batch, row by row and in a fresh instance, which must agree. Rows are arrays in the table's column order. */
export function run<Config, Table>(definition: PluginDefinition<Config, Table>, config: Config, table: TableSchema, rows: Value[][]): Outcome[];
