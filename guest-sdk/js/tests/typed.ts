// A plugin in TypeScript: checked by the compiler, so that the declarations fit the code that authors write.
import { exportTransform } from "../export.js";
import { Edit, Plan, types, type Batch, type PluginDefinition, type TableSchema } from "../sluice.js";

class Region {
  constructor(readonly name: string) {}

  plan(table: TableSchema) {
    return Plan.of(table).rename("qty", "quantity").cast("id", types.utf8).reads("region").build().with(table.table);
  }

  process(_table: string, batch: Batch): Edit {
    const [region] = batch.columns;
    return region ? Edit.keep(region.matching((value) => value === this.name)) : new Edit();
  }
}

const region: PluginDefinition<{ name: string }, string> = {
  name: "region",
  version: "0.1.0",
  configure: ({ name }) => new Region(name),
};

export const transform = exportTransform(region);
