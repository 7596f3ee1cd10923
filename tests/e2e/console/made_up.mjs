// The page with made-up answers: what no real traffic brings within seconds.
//
//     node made_up.mjs SCENARIO PORT, with BROWSER, NODE_PATH and PODSTAMP_CONSOLE (the folder host/console)

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Console, LARGE, play, SMALL, USUAL } from "./browser.mjs";
import { allBars, assertMeasures } from "./flame.mjs";
import { assertHarmless } from "./harmless.mjs";

const [, , scenario, closedPort] = process.argv;

const scenarios = {
  /** All views, small and large, light and dark. */
  async accessible() {
    const server = await serve("plain");
    const [trace] = await traces(server, ({ spans }) => spans === 60);
    const views = ["#/live", "#/who", "#/who/1f", "#/traces", `#/traces/${trace.id}`, "#/pods", "#/configuration"];
    for (const [size, scheme] of [[SMALL, "light"], [SMALL, "dark"], [LARGE, "light"], [LARGE, "dark"]]) {
      const opened = await Console.open(server.base, { size, scheme });
      for (const view of views) {
        await opened.go(view);
        await opened.assertAccessible(`${view} ${size.width} ${scheme}`);
        await opened.picture(`${view.slice(2).split("/").join("-").replace(trace.id, "one")}-${size.width}-${scheme}`);
      }
      await opened.end(`${size.width} ${scheme}`);
    }
    const empty = await serve("empty");
    const opened = await Console.open(empty.base);
    for (const view of ["#/live", "#/who", "#/traces", "#/pods"]) {
      await opened.go(view);
      await opened.assertAccessible(`${view} of a podstamp without traffic`);
    }
    assert.match(await opened.page.textContent("body"), /not ready/);
    await opened.end("empty");
  },

  /** What is no pod's is not called good: neither an untouched resource nor an address that no known pod has. */
  async sober() {
    const server = await serve("plain");
    const opened = await Console.open(server.base, { hash: "#/who" });
    const { page } = opened;
    await page.waitForSelector("#services tbody tr");
    const { rows } = await server.json("/console/services");
    const podless = rows.filter(({ found }) => ["unknown", "contradicted", "untouched"].includes(found));
    assert.ok(podless.some(({ found }) => found === "untouched"));
    const summary = await page.textContent(".summary");
    assert.match(summary, new RegExp(`${podless.length} without a pod`));
    assert.ok(!summary.includes("every service"), summary);
    for (const { id, pod } of rows) {
      const good = await page.locator(`[data-service="${id}"] .mark.good`).count();
      assert.equal(good, pod === "" ? 0 : 1, `row ${id}`);
    }
    await opened.end("sober");
  },

  /** Names that mean harm do none, and nothing of them is hidden. */
  async hostile() {
    const server = await serve("hostile");
    const opened = await Console.open(server.base);
    const { page } = opened;
    const found = await traces(server, ({ spans }) => spans === 60 || spans === 250);
    for (const view of ["#/live", "#/who", "#/who/1f", "#/who/20", "#/who/21", "#/traces", ...found.map(({ id }) => `#/traces/${id}`), "#/pods", "#/configuration"]) {
      await opened.go(view);
      await assertHarmless(page, view);
      await opened.assertAccessible(view);
    }
    await opened.go(`#/traces/${found[0].id}`);
    await page.click("#spans button");
    for (const button of await page.$$("main button[aria-expanded=false]")) await button.click();
    await assertHarmless(page, "all of a trace");
    await opened.go("#/configuration");
    await page.fill("#rewrite textarea", "{}");
    await page.click("#rewrite button[type=submit]");
    await page.waitForSelector(".rewritten");
    await assertHarmless(page, "a tried request");
    await opened.picture("hostile");
    await opened.end("hostile");
  },

  /** A trace of 10,000 spans: each is drawn or counted, and few elements do it. */
  async large() {
    const server = await serve("plain");
    // Of all shapes: mixed, all at once, each below the one before, one after the other.
    const rows = await traces(server, ({ spans }) => spans === 10_000);
    assert.equal(rows.length, 4);
    const opened = await Console.open(server.base);
    const { page } = opened;
    for (const row of rows) {
      const trace = await server.json(`/console/traces/${row.id}`);
      await opened.go(`#/traces/${row.id}`, `[data-span="${trace.spans[0].id}"]`);
      const lanes = await page.evaluate(() => document.querySelector(".flame-box").scrollHeight / 22);
      // Thousands of lanes take long to scroll through: the first ones will do.
      const found = await allBars(page, 40);
      if (lanes < 1_000) assert.equal(found.shown.size + found.merged, 10_000, "each span is a bar, or counted in one");
      assert.ok(found.most < 2_000, `${found.most} bars are drawn at a time`);
      assertMeasures(trace, found);
    }
    await opened.go(`#/traces/${rows[0].id}`, "[data-span]");
    // The table pages.
    await page.click("#spans button");
    assert.equal(await page.locator("#spans tbody tr").count(), 100);
    await page.click("#spans .pages >> nth=0 >> text=Next");
    assert.match(await page.textContent("#spans .pages"), /Page 2 of 100/);
    await opened.assertAccessible("10,000 spans");
    await opened.end("large");
  },

  /** Zooming, and the marks of odd spans. */
  async flame() {
    const server = await serve("plain");
    const [row] = await traces(server, ({ spans }) => spans === 250);
    const trace = await server.json(`/console/traces/${row.id}`);
    const opened = await Console.open(server.base);
    const { page } = opened;
    await opened.go(`#/traces/${row.id}`, "[data-span]");
    const found = await allBars(page);
    assert.equal(found.shown.size + found.merged, 250);
    assertMeasures(trace, found);
    // A click gives a span the whole width.
    const child = trace.spans.find((span) => span.parent !== "" && span.duration_ns > row.duration_ms * 1e5);
    await page.evaluate(() => (document.querySelector(".flame-box").scrollTop = 0));
    await page.evaluate((lane) => (document.querySelector(".flame-box").scrollTop = lane * 22), Number(found.shown.get(child.id).lane));
    await page.click(`[data-span="${child.id}"]`, { position: { x: 2, y: 8 } });
    const box = await page.locator(".flame-box").boundingBox();
    const bar = await page.locator(`[data-span="${child.id}"]`).boundingBox();
    assert.ok(Math.abs(bar.width - box.width) < 4, `zoomed, it is ${bar.width} of ${box.width} wide`);
    assert.match(await page.textContent("#span"), new RegExp(child.id));
    await page.click("text=Whole trace");
    const again = await allBars(page);
    assertMeasures(trace, again);
    const text = await page.textContent("#span");
    for (const word of ["Pod", "Address", "Duration", "Parent", "http.request.method"]) assert.ok(text.includes(word), word);
    const orphans = [...found.shown.values()].filter(({ classes }) => classes.includes("orphan")).length;
    assert.equal(orphans > 0, trace.spans.some((span) => span.parent === "ffffffffffffffff"));
    await opened.end("flame");
  },

  /** Everything by keyboard: skip link, views, a row, the flame graph, and out of each again. */
  async keyboard() {
    const server = await serve("plain");
    const opened = await Console.open(server.base);
    const { page } = opened;
    const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
    const focused = () => page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      return { tag: element.tagName, text: element.textContent.trim().slice(0, 80), href: element.getAttribute("href"), span: element.dataset.span ?? null, visible: style.outlineStyle !== "none" || style.boxShadow !== "none" };
    });
    const focusIsOn = (id) => page.waitForFunction((id) => document.activeElement.dataset.span === id, id);
    await page.waitForSelector("main .panel");
    await press("Tab");
    assert.match((await focused()).text, /Skip/);
    await press("Enter");
    assert.equal((await focused()).tag, "MAIN");
    // Round the whole page: each stop can be seen, and the end is reached.
    await page.reload();
    await page.waitForSelector("main .panel");
    const stops = [];
    for (let index = 0; index < 60; index += 1) {
      await press("Tab");
      const stop = await focused();
      if (stop.tag === "BODY") break;
      assert.ok(stop.visible, `the focus on ${stop.tag} ${stop.text} cannot be seen`);
      stops.push(stop);
    }
    assert.ok(stops.length < 60, "tabbing does not come to an end");
    for (const href of ["#/who", "#/traces", "#/pods", "#/configuration"]) assert.ok(stops.some((stop) => stop.href === href), href);
    await tabTo(page, (stop) => stop.href === "#/who", focused);
    await press("Enter");
    await page.waitForSelector("#services tbody a");
    assert.equal((await focused()).tag, "MAIN", "a new view takes the focus");
    await tabTo(page, (stop) => /^#\/who\//.test(stop.href ?? ""), focused);
    await press("Enter");
    await page.waitForSelector(".explained .verdict");
    await page.waitForFunction(() => document.activeElement.id === "explained-title");
    await tabTo(page, (stop) => stop.tag === "BUTTON" && stop.text === "Copy", focused);
    await press("Enter");
    await page.waitForFunction(() => /copied|selected/.test(document.querySelector(".told")?.textContent ?? ""));
    const chosen = await page.getAttribute("tr.chosen", "data-service");
    await page.focus(".explained .close");
    await press("Enter");
    await page.waitForFunction((chosen) => document.activeElement.closest("tr")?.dataset.service === chosen, chosen);
    const [row] = await traces(server, ({ spans }) => spans === 60);
    const trace = await server.json(`/console/traces/${row.id}`);
    await opened.go(`#/traces/${row.id}`, "[data-span]");
    await page.waitForFunction(() => document.activeElement.tagName === "MAIN");
    await tabTo(page, (stop) => stop.span !== null, focused);
    const root = trace.spans[0];
    await focusIsOn(root.id);
    const children = (id) => trace.spans.filter((span) => span.parent === id).sort((one, other) => one.start_ns - other.start_ns || other.duration_ns - one.duration_ns);
    await press("ArrowDown");
    const [first, second] = children(root.id);
    await focusIsOn(first.id); // down is the first child
    await press("ArrowRight");
    await focusIsOn(second.id); // right is the next sibling
    await press("ArrowLeft", "ArrowUp");
    await focusIsOn(root.id); // up is the parent
    await press("ArrowDown", "Enter");
    const zoomed = await page.locator(`[data-span="${first.id}"]`).boundingBox();
    const box = await page.locator(".flame-box").boundingBox();
    assert.ok(Math.abs(zoomed.width - box.width) < 4, "Enter zooms in");
    await press("Escape");
    assert.match(await page.textContent("#flame .panel-note"), /whole trace/, "Escape zooms out");
    await focusIsOn(first.id);
    // All spans can be reached, and the focus leaves the graph again.
    for (let index = 0; index < 40; index += 1) await press(["ArrowDown", "ArrowDown", "ArrowRight", "ArrowDown", "End"][index % 5]);
    assert.notEqual((await focused()).span, null);
    await press("Tab");
    assert.equal((await focused()).span, null, "the graph is one stop");
    await opened.end("keyboard");
  },

  /** The connection goes, and another podstamp answers. */
  async restart() {
    const server = await serve("plain", closedPort);
    const opened = await Console.open(server.base);
    opened.expected = [/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET/];
    const { page } = opened;
    await page.waitForSelector("[data-connection=open]");
    await server.stop();
    await page.waitForSelector("[data-connection=lost]");
    assert.match(await page.textContent("[data-connection]"), /connection lost.*trying/);
    await opened.assertAccessible("lost");
    await opened.picture("connection-lost");
    await serve("plain", closedPort);
    await page.waitForSelector("[data-connection=open]");
    assert.match(await page.textContent("[data-connection]"), /restarted/);
    await page.click("button[aria-pressed]");
    await page.waitForSelector("[data-connection=paused]");
    await page.click("button[aria-pressed]");
    await page.waitForSelector("[data-connection=open]");
    await page.selectOption(".theme select", "dark");
    await page.reload();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark", "the choice is kept");
    await page.waitForSelector("[data-connection=open]");
    await opened.end("restart");
  },
};

/** Tabs until the focus is where it should be. */
async function tabTo(page, is, focused) {
  for (let index = 0; index < 80; index += 1) {
    await page.keyboard.press("Tab");
    if (is(await focused())) return;
  }
  assert.fail("the keyboard does not get there");
}

const servers = [];

async function serve(kind, port = "0") {
  const script = join(process.env.PODSTAMP_CONSOLE, "dev/server.mjs");
  const child = spawn(process.execPath, [script, port, kind], { stdio: ["ignore", "pipe", "inherit"] });
  servers.push(child);
  const [line] = await once(child.stdout, "data");
  const base = String(line).trim();
  return {
    base,
    json: async (path) => (await fetch(new URL(path, base))).json(),
    stop: async () => {
      child.kill();
      await once(child, "exit");
    },
  };
}

async function traces(server, is) {
  return (await server.json("/console/traces?limit=1000")).traces.filter(is);
}

process.on("exit", () => servers.forEach((server) => server.kill()));
await play(scenarios[scenario]);
