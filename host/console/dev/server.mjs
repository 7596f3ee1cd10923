// A server of made-up answers, for work on the page without a podstamp:
//
//     npm ci && npm run build && npm run dev [-- PORT [plain|hostile|empty]]
//
// It serves dist as the admin listener does, with the same headers, and reads it anew for each request.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { World } from "./world.mjs";

const port = Number(process.argv[2] ?? 8899);
const world = new World(process.argv[3] ?? "plain");
const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8" };
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

createServer(async (request, response) => {
  const url = new URL(request.url, "http://podstamp");
  const path = url.pathname;
  response.setHeader("content-security-policy", CSP);
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("referrer-policy", "no-referrer");
  if (path === "/" || path === "/console.js" || path === "/console.css") {
    const name = path === "/" ? "index.html" : path.slice(1);
    response.setHeader("content-type", TYPES[name.split(".")[1]]);
    return response.end(readFileSync(dist + name));
  }
  if (path === "/console/events") return events(request, response);
  const answer = world.answer(path, url.searchParams, request.method === "POST" ? await body(request) : null);
  response.statusCode = answer === undefined ? 404 : 200;
  response.setHeader("content-type", "application/json");
  response.setHeader("cache-control", "no-store");
  response.end(JSON.stringify(answer ?? { error: `there is nothing at ${path}` }));
}).listen(port, "127.0.0.1", function () {
  console.log(`http://127.0.0.1:${this.address().port}/`);
});

function events(request, response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  let id = 0;
  const send = (event, data) => response.write(`id: ${(id += 1)}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  response.write("retry: 1000\n\n");
  send("history", world.history());
  send("live", world.live());
  const timer = setInterval(() => send("live", world.live()), 1_000);
  request.on("close", () => clearInterval(timer));
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}
