// Serves a component that jco has transpiled: one instance and one port for each entry of a list, all in one process.
//
//     node serve.mjs LIST
//
// LIST is a file of JSON: [{"name", "variables", "redirect", "now"}]. `redirect` names, by authority, where requests go in its place, as a
// name server would; `now` is a wall clock that stands, in nanoseconds. Each port is told on standard output as "NAME PORT". The process ends
// with its standard input.

import { readFileSync } from "node:fs";
import process from "node:process";
import * as wasi from "@bytecodealliance/preview2-shim";
import { HTTPServer } from "@bytecodealliance/preview2-shim/http";
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";
import { instantiate } from "./podstamp.js";

const modules = new Map();

function coreModule(path) {
  if (!modules.has(path)) {
    modules.set(path, new WebAssembly.Module(readFileSync(new URL(path, import.meta.url))));
  }
  return modules.get(path);
}

function world({ variables, redirect, now }) {
  const outgoingHandler = {
    handle(request, options) {
      const authority = redirect?.[request.authority()];
      if (authority) {
        request.setAuthority(authority);
      }
      return wasi.http.outgoingHandler.handle(request, options);
    },
  };
  const time = BigInt(now ?? 0);
  const standing = {
    now: () => ({ seconds: time / 1_000_000_000n, nanoseconds: Number(time % 1_000_000_000n) }),
    resolution: () => ({ seconds: 0n, nanoseconds: 1 }),
  };
  return new WASIShim({
    sandbox: { env: variables },
    http: { ...wasi.http, outgoingHandler },
    clocks: now ? { ...wasi.clocks, wallClock: standing } : wasi.clocks,
  });
}

for (const entry of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  const instance = instantiate(coreModule, world(entry).getImportObject());
  const server = new HTTPServer(instance.incomingHandler);
  server.listen(0, "127.0.0.1");
  process.stdout.write(`${entry.name} ${server.address().port}\n`);
}
process.stdin.resume().on("end", () => process.exit());
