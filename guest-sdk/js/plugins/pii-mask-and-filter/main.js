// Makes the plugin the component's.
import { exportTransform } from "../../export.js";
import plugin from "./plugin.js";

export const transform = exportTransform(plugin);
