// Bundles the page into dist: index.html, console.js and console.css. The same sources give the same bytes.
//
// console.js begins with a hash over the sources and the lock file. A Rust test computes it again, so that a built page that
// does not belong to its sources is found without Node.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));
const pinned = ["build.mjs", "package-lock.json", "package.json", "tsconfig.json"];

/** All files under a folder, as paths with `/` from the root. */
function files(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? files(path) : [path];
  });
}

/** SHA-256 over path, length and bytes of each file, sorted by path. */
function hashed() {
  const hash = createHash("sha256");
  for (const path of [...pinned, ...files("src")].sort()) {
    const bytes = readFileSync(join(root, path));
    hash.update(`${path}\n${bytes.length}\n`).update(bytes);
  }
  return hash.digest("hex");
}

const dist = join(root, "dist");
mkdirSync(dist, { recursive: true });
const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  // Browsers that know `light-dark()`, which the style sheet is written with.
  target: ["chrome123", "firefox120", "safari17.5"],
  legalComments: "none",
  charset: "utf8",
  logLevel: "warning",
};
await build({
  ...common,
  entryPoints: ["src/main.tsx"],
  outfile: "dist/console.js",
  format: "iife",
  jsx: "automatic",
  jsxImportSource: "preact",
  banner: { js: `/* podstamp console; SHA-256 of its sources: ${hashed()}\n   Contains Preact, https://preactjs.com, MIT licence, (c) 2015-present Jason Miller. */` },
});
await build({ ...common, entryPoints: ["src/styles/console.css"], outfile: "dist/console.css" });
writeFileSync(join(dist, "index.html"), readFileSync(join(root, "src/index.html")));
