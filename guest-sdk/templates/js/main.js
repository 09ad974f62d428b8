// Makes the plugin the component's.
import plugin from "./plugin.js";
import { exportTransform } from "./sdk/sluice-guest/export.js";

export const transform = exportTransform(plugin);
