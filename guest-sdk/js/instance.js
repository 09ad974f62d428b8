// A plugin between its configuration and its end, and the checks of what it answers; shared by the component's edge and
// by unit tests. The host checks everything again.

import { Batch, Edit, Failure, PASS } from "./sluice.js";

export class Instance {
  #plugin;
  #tables = new Map();

  constructor(definition, config, attachments, limits) {
    this.#plugin = definition.configure(config, attachments, limits);
  }

  plan(id, table) {
    const decision = this.#plugin.plan(table) ?? PASS;
    if (decision.tag === "apply") this.#tables.set(id, decision);
    return decision;
  }

  process(id, rows, buffers) {
    const planned = this.#tables.get(id);
    if (!planned) throw new Failure("not-planned", `table id ${id} has no plan`);
    const { plan, table } = planned;
    const edit = this.#plugin.process(table, new Batch(rows, buffers, plan.readTypes)) ?? new Edit();
    this.#check(edit, rows, plan.computedTypes);
    return edit;
  }

  release(id) {
    this.#tables.delete(id);
  }

  #check(edit, rows, types) {
    if (edit.kept && edit.kept.rows !== rows) throw new Failure("edit", `keep has ${edit.kept.rows} rows, the batch ${rows}`);
    if (edit.computed.length !== types.length) {
      throw new Failure("edit", `the plan computes ${types.length} columns, the edit has ${edit.computed.length}`);
    }
    edit.computed.forEach((column, slot) => {
      if (!column.dataType.equals(types[slot]) || column.rows !== rows) {
        const given = `${column.dataType} with ${column.rows} rows`;
        throw new Failure("edit", `computed column ${slot} is ${given}, planned is ${types[slot]} with ${rows}`);
      }
    });
    if (edit.routing && edit.routing.rows.length !== rows) {
      throw new Failure("edit", `${edit.routing.rows.length} rows are routed, the batch has ${rows}`);
    }
  }
}
