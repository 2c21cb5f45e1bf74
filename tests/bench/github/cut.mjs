// cut.mjs DESCRIPTION PATHS: the description with these operations and all that they refer to, without prose and examples.
// A path or a reference that is not there is an error: nothing may be judged by half a description.
import { readFileSync } from "node:fs";

const [description, paths] = process.argv.slice(2);
const whole = JSON.parse(readFileSync(description, "utf8"));
const cut = { openapi: whole.openapi, info: whole.info, paths: {}, components: {} };
const waiting = [];

// A property may itself be called "description" or "example": the maps of names are walked name by name.
const NAMES = new Set(["properties", "patternProperties", "mapping", "responses", "headers", "content", "schemas"]);
const PROSE = new Set(["description", "summary", "example", "examples", "externalDocs", "tags"]);

function bare(value, ofNames = false) {
  if (Array.isArray(value)) return value.map((each) => bare(each));
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$ref === "string") waiting.push(value.$ref);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => ofNames || !(PROSE.has(key) || (key.startsWith("x-") && key !== "x-multi-segment")))
      .map(([key, inner]) => [key, bare(inner, !ofNames && NAMES.has(key))]),
  );
}

for (const line of readFileSync(paths, "utf8").split("\n")) {
  if (line === "" || line.startsWith("#")) continue;
  const [method, path] = line.split(" ");
  const operation = whole.paths[path]?.[method.toLowerCase()];
  if (!operation) throw new Error(`the description has no ${line}`);
  (cut.paths[path] ??= {})[method.toLowerCase()] = bare(operation);
}

for (let ref = waiting.pop(); ref !== undefined; ref = waiting.pop()) {
  const [hash, components, kind, name, ...rest] = ref.split("/");
  if (hash !== "#" || components !== "components" || rest.length > 0) throw new Error(`no way to follow ${ref}`);
  const group = (cut.components[kind] ??= {});
  if (name in group) continue;
  const found = whole.components[kind]?.[name];
  if (found === undefined) throw new Error(`the description has no ${ref}`);
  group[name] = bare(found);
}

process.stdout.write(JSON.stringify(cut));
