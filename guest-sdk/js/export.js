// The component's edge: the interface's records to the SDK's and back. Only a component imports this file.

import logging from "sluice:transform/logging@0.1.0";

import { Instance } from "./instance.js";
import { ConfigError, DataType, Failure, TableSchema } from "./sluice.js";

export function log(level, message) {
  logging.log(level, String(message));
}

const readType = ({ tag, val }) => (tag === "decimal" ? DataType.decimal(val.precision, val.scale) : new DataType(tag));
const writeType = (type) =>
  type.kind === "decimal" ? { tag: "decimal", val: { precision: type.precision, scale: type.scale } } : { tag: type.kind };

function readTable(table) {
  const fields = table.fields.map((field) => ({ ...field, dataType: readType(field.dataType) }));
  return new TableSchema({ ...table, fields, idColumns: [...table.idColumns] });
}

function writeSource(source) {
  switch (source.tag) {
    case "input": return { tag: "input", val: source.field };
    case "cast": return { tag: "cast", val: { field: source.field, to: writeType(source.to) } };
    case "computed": {
      const { slot, dataType, nullable } = source;
      return { tag: "computed", val: { slot, dataType: writeType(dataType), nullable } };
    }
    case "constant": return { tag: "constant", val: { dataType: writeType(source.dataType), text: source.text ?? null } };
    default: return { tag: "metadata", val: source.fact };
  }
}

function writePlan(plan) {
  const column = ({ name, source }) => ({ name, source: writeSource(source) });
  return {
    output: plan.output ? plan.output.map(column) : null,
    idColumns: plan.idColumns,
    route: plan.route,
    process: plan.reads ? { reads: plan.reads } : null,
    properties: plan.properties,
  };
}

function writeEdit(edit) {
  const rejected = [...edit.rejected].sort(([a], [b]) => a - b);
  return {
    keep: edit.kept ? edit.kept.bytes : null,
    computed: edit.computed.map((builder) => builder.finish()),
    routing: edit.routing && edit.routing.routes.length > 0
      ? { routes: edit.routing.routes, rows: new Uint8Array(Uint32Array.from(edit.routing.rows).buffer) }
      : null,
    rejected: rejected.map(([row, failure]) => ({ row, failure: writeFailure(failure) })),
  };
}

const writeFailure = ({ code, detail }) => ({ code, detail });

// What a thrown value becomes: a failure is an answer. Anything else is a defect, and its place is logged.
function failed(error) {
  if (!(error instanceof Failure)) log("error", `${error?.message ?? error}\n${error?.stack ?? ""}`);
  return writeFailure(Failure.of(error));
}

export function exportTransform(definition) {
  let instance = null;
  const configured = () => {
    if (!instance) throw new Failure("not-configured", "the plugin was not configured");
    return instance;
  };
  const orThrow = (call) => {
    try {
      return call();
    } catch (error) {
      throw failed(error);
    }
  };
  return {
    describe: () => ({
      name: definition.name,
      version: definition.version,
      configSchema: definition.configSchema ? JSON.stringify(definition.configSchema) : null,
      properties: [],
    }),
    configure(config, attachments, limits) {
      try {
        instance = new Instance(definition, JSON.parse(config), attachments, limits);
      } catch (error) {
        if (error instanceof ConfigError) throw { problems: error.problems };
        throw { problems: [{ path: "", message: failed(error).detail }] };
      }
    },
    plan: (id, table) =>
      orThrow(() => {
        const decision = configured().plan(id, readTable(table));
        return decision.tag === "apply" ? { tag: "apply", val: writePlan(decision.plan) } : { tag: decision.tag };
      }),
    process: (id, rows, columns) => orThrow(() => writeEdit(configured().process(id, rows, columns))),
    release(id) {
      instance?.release(id);
    },
  };
}
