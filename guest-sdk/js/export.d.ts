// The component's edge; only the module that the component is made of imports it.
import type { PluginDefinition } from "./sluice.js";

/** What the module exports as `transform`. */
export function exportTransform<Config, Table>(definition: PluginDefinition<Config, Table>): object;
/** A line for the plugin's author; never affects results. */
export function log(level: "trace" | "debug" | "info" | "warn" | "error", message: string): void;
