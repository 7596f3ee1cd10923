// The page of a running podstamp, with traffic.
//
//     node served.mjs SCENARIO ADMIN OTLP, with BROWSER and NODE_PATH
//
// It writes `restart` on a line where podstamp is to be started anew, and waits for a line that says that it has been.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Console, play, SMALL, USUAL } from "./browser.mjs";
import { allBars, assertMeasures } from "./flame.mjs";
import { assertHarmless } from "./harmless.mjs";
import { assertShop, attributes, keepShop, large, send, SPANS } from "./shop.mjs";

const [, , scenario, admin, otlp] = process.argv;
const json = async (path) => (await fetch(new URL(path, admin))).json();

const scenarios = {
  /** Every view, with what the shop brings. */
  async views() {
    const opened = await Console.open(admin);
    const { page } = opened;
    const stop = keepShop(otlp);
    await page.waitForFunction(() => parseFloat(document.querySelector("[data-rate=accepted] .rate-value")?.textContent ?? "0") > 0);
    await page.waitForFunction(() => parseFloat(document.querySelector("[data-rate=unknown] .rate-value")?.textContent ?? "0") > 0);
    for (const word of ["ready", "What is wrong now", "lead to no pod", "Queues", "Agents", "Pods"]) assert.ok((await page.textContent("body")).includes(word), word);
    await page.waitForSelector("#agents .mark.good");
    await opened.assertAccessible("live");

    await opened.go("#/who", "#services tbody tr");
    await page.waitForFunction(() => document.querySelectorAll("#services tbody tr").length >= 3);
    const first = await page.textContent("#services tbody tr >> nth=0");
    assert.match(first, /mail-svc/, "the one without a pod comes first");
    assert.match(first, /unknown/);
    const rows = await page.textContent("#services tbody");
    for (const text of ["shop-web", "web-1", "10.244.1.1", "cart", "10.244.1.2"]) assert.ok(rows.includes(text), `${text} in ${rows}`);
    await page.click("#services tbody tr >> nth=0 >> a");
    await page.waitForSelector(".explained .verdict");
    const why = await page.textContent(".explained");
    for (const text of ["mail-svc", "nobody", "0.0.0.0", "What would make it right", "What the Collector would have stamped", "POD_UID"]) assert.ok(why.includes(text), `${text} in ${why}`);
    await page.waitForSelector(".explained .snippet");
    await opened.assertAccessible("an unknown pod explained");

    await opened.go("#/traces");
    await page.fill("[name=service]", "cart");
    await page.fill("[name=name]", "SELECT");
    await page.fill("[name=min_ms]", "1");
    await page.check("[name=error]");
    await page.check("[name=unknown]");
    await page.click(".search button[type=submit]");
    await page.waitForFunction(() => location.hash.includes("service=cart"));
    await page.waitForSelector("#traces tbody tr");
    await opened.assertAccessible("a search");
    const id = await page.getAttribute("#traces tbody tr", "data-trace");
    await page.click("#traces tbody tr >> nth=0 >> a");
    await page.waitForSelector("[data-span]");
    const trace = await json(`/console/traces/${id}`);
    assertShop(trace);
    const found = await allBars(page);
    assert.equal(found.shown.size, SPANS.length);
    assertMeasures(trace, found);
    const mail = trace.spans.find(({ name }) => name === "send mail");
    await page.click(`[data-span="${mail.id}"]`);
    const details = await page.textContent("#span");
    for (const text of ["mail-svc", "no pod", "error", "550 no such user", "http.route", "/of/3", "starts 26 ms after it"]) assert.ok(details.includes(text), `${text} in ${details}`);
    assert.equal(await page.getAttribute(".trace-facts a", "href"), `https://grafana.example/trace/${id}`);
    await opened.assertAccessible("a trace");
    await page.click("#span dd a");
    await page.waitForSelector(".explained .verdict");
    assert.match(await page.textContent(".explained"), /mail-svc/);

    await opened.go("#/traces?service=nobody-has-this", "#traces");
    await page.waitForFunction(() => /None of the kept/.test(document.querySelector("#traces").textContent));

    await opened.go("#/pods", "#pods tbody tr");
    await page.fill("#pods [name=q]", "10.244.1.2");
    await page.click("#pods button[type=submit]");
    await page.waitForFunction(() => document.querySelectorAll("#pods tbody tr").length === 1);
    assert.match(await page.textContent("#pods"), /web-2/);
    await page.waitForSelector("#pods .why");
    await opened.assertAccessible("pods");

    await opened.go("#/configuration", "#document .line");
    const document = await page.textContent("#document");
    for (const text of ["pod_association", "otlphttp", "***"]) assert.ok(document.includes(text), `${text} in ${document}`);
    assert.ok(!document.includes("hidden-from-all"), "a secret is shown");
    await page.fill("#check textarea", "exporters:\n  otlphttp:\n    endpointt: http://x\n");
    await page.click("#check button[type=submit]");
    await page.waitForSelector("#check .outcome .mark.bad");
    assert.match(await page.textContent("#check"), /endpointt/);
    await page.click("text=An example");
    await page.fill("[name=peer]", "10.244.1.1");
    await page.click("#rewrite button[type=submit]");
    await page.waitForSelector(".rewritten");
    assert.match(await page.textContent("#rewrite"), /it would be forwarded/);
    await opened.assertAccessible("configuration");
    await stop();
    await opened.end("views");
  },

  /** 10,000 spans in one trace, and names that mean harm, through podstamp itself. */
  async extremes() {
    const opened = await Console.open(admin);
    const { page } = opened;
    await page.waitForSelector("[data-connection=open]");
    const names = ["<script>window.harmed = true</script>", "\u202eevil\u2066", "\"><img src=x onerror=window.harmed=1>", "\u0000\u001b[31m", "x".repeat(1_000_000)];
    const kept = (id) => json(`/console/traces?id=${id}`).then(({ traces }) => traces[0]);
    // Where other processes want the processor, it takes a while until one is examined, and not all are picked.
    const ids = [];
    let row;
    while (row === undefined) {
      ids.push(await large(otlp, 10_000));
      await new Promise((done) => setTimeout(done, 2_500));
      for (const id of ids) row ??= await kept(id);
    }
    const trace = await json(`/console/traces/${row.id}`);
    assert.equal(trace.spans.length, 10_000);
    assert.equal(trace.omitted, false);
    await opened.go(`#/traces/${row.id}`, "[data-span]");
    const found = await allBars(page, 60);
    assertMeasures(trace, found);
    assert.ok(found.most < 2_000, `${found.most} bars at a time`);

    const shown = async () => JSON.stringify(await json("/console/services"));
    let traceId;
    while (!(await shown()).includes("evil")) {
      traceId = Array.from({ length: 32 }, () => Math.floor(Math.random() * 16).toString(16)).join("");
      const begin = BigInt(Date.now()) * 1_000_000n;
      await send(otlp, names.map((name, index) => ({
        // A resource may have a megabyte.
        resource: { attributes: attributes({ "service.name": name, "host.name": name.slice(0, 1_000) }) },
        scopeSpans: [{ spans: [{ traceId, spanId: (index + 1).toString(16).padStart(16, "0"), name, kind: 2, startTimeUnixNano: String(begin), endTimeUnixNano: String(begin + 1_000_000n), attributes: attributes({ [name]: name }), status: { code: 2, message: name } }] }],
      })));
      await new Promise((done) => setTimeout(done, 500));
    }
    const { rows } = await json("/console/services");
    const [last] = (await json("/console/traces?error=1")).traces;
    for (const view of ["#/who", ...rows.slice(0, 6).map(({ id }) => `#/who/${id}`), "#/traces", `#/traces/${last.id}`, "#/live"]) {
      await opened.go(view);
      await assertHarmless(page, view);
      await opened.assertAccessible(view);
    }
    await opened.end("extremes");
  },

  /** podstamp goes and comes back, and the page with it. */
  async restart() {
    const opened = await Console.open(admin, { hash: "#/who" });
    opened.expected = [/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|503/];
    const { page } = opened;
    const stop = keepShop(otlp);
    await page.waitForSelector("[data-connection=open]");
    await page.waitForSelector("#services tbody tr");
    const lines = createInterface({ input: process.stdin });
    // Listened for from now on: a line that comes ahead of its listener is lost.
    const restarted = once(lines, "line");
    const { instance } = await json("/console/live");
    process.stdout.write("restart\n");
    await page.waitForSelector("[data-connection=lost]");
    await restarted;
    lines.close();
    await page.waitForSelector("[data-connection=open]");
    assert.match(await page.textContent("[data-connection]"), /restarted/);
    assert.notEqual((await json("/console/live")).instance, instance);
    await page.waitForSelector("#services tbody tr");
    await opened.go("#/live");
    await page.waitForFunction(() => parseFloat(document.querySelector("[data-rate=accepted] .rate-value")?.textContent ?? "0") > 0);
    await stop();
    await opened.end("restart");
  },

  /** With credentials, without payloads, and on a small screen. */
  async guarded() {
    assert.equal((await fetch(admin)).status, 401);
    const stop = keepShop(otlp);
    const opened = await Console.open(admin, { size: SMALL, scheme: "dark", credentials: { username: "ada", password: "lovelace" } });
    const { page } = opened;
    await page.waitForSelector("[data-connection=open]");
    await opened.go("#/traces", "#traces tbody tr");
    await page.click("#traces tbody tr >> nth=0 >> a");
    await page.waitForSelector("[data-span]");
    const text = await page.textContent("main");
    // Nothing as short as a status's number: a trace's id, which is random, may have it as well.
    for (const payload of ["/of/", "550 no such user"]) assert.ok(!text.includes(payload), `${payload} in ${text}`);
    assert.match(text, /payloads/);
    await opened.assertAccessible("a trace on a small screen");
    await stop();
    await opened.end("guarded");
  },

  /** `podstamp demo --keep`: what newcomers see, and the pictures of the documents. */
  async demo() {
    for (const scheme of ["light", "dark"]) {
      const opened = await Console.open(admin, { size: USUAL, scheme });
      const { page } = opened;
      const picture = (name) => opened.picture(`${name}${scheme === "dark" ? "-dark" : ""}`);
      await page.waitForSelector("[data-connection=open]");
      await opened.go("#/who", "#services tbody tr");
      await page.waitForFunction(() => document.querySelectorAll("#services tbody tr").length >= 7);
      await page.click("#services tbody tr:has-text('mail-svc') a");
      await page.waitForSelector(".explained .verdict");
      await picture("demo-who");
      await opened.go("#/traces", "#traces tbody tr");
      // Spans of a trace come in several requests.
      let whole;
      while (whole === undefined) whole = (await json("/console/traces")).traces.find(({ spans, complete }) => spans === 19 && complete);
      await picture("demo-traces");
      await opened.go(`#/traces/${whole.id}`, "[data-span]");
      const found = await allBars(page);
      assert.equal(found.shown.size + found.merged, 19, "the demo's trace has 19 spans");
      await picture("demo-trace");
      await opened.go("#/pods", "#pods tbody tr");
      await picture("demo-pods");
      await opened.go("#/configuration", "#document .line");
      await picture("demo-configuration");
      await opened.go("#/live");
      await picture("demo-live");
      await opened.end(`demo ${scheme}`);
    }
  },
};

await play(scenarios[scenario]);
