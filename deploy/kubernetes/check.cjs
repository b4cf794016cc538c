// Checks objects of cert-manager and CloudNativePG, JSON on standard input, against the schemas of their kinds. Run by
// deploy/check-manifests.
const { pathToFileURL } = require("node:url");
const path = require("node:path");
const fs = require("node:fs");

const modules = process.env.NODE_PATH;
const groups = {
  "cert-manager.io/v1": "@kubernetes-models/cert-manager/cert-manager.io/v1/index.js",
  "postgresql.cnpg.io/v1": "@kubernetes-models/cloudnative-pg/postgresql.cnpg.io/v1/index.js",
};

(async () => {
  const faults = [];
  for (const object of JSON.parse(fs.readFileSync(0, "utf8"))) {
    const where = `${object.kind}/${object.metadata.name}`;
    const group = groups[object.apiVersion];
    const kinds = group && (await import(pathToFileURL(path.join(modules, group))));
    if (!kinds?.[object.kind]) {
      faults.push(`${where}: no schema for ${object.apiVersion}`);
      continue;
    }
    try {
      new kinds[object.kind](object).validate();
    } catch (error) {
      faults.push(`${where}: ${error.message}`);
    }
  }
  if (faults.length > 0) {
    console.error(faults.join("\n"));
    process.exit(1);
  }
})();
