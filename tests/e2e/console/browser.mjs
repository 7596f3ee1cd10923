// A real browser, in which everything counts as a fault that a good page never does.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join, resolve } from "node:path";

// Through NODE_PATH, which imports do not read.
const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

let browser;

/** Plays a scenario in a browser, and ends this process: what is thrown does as well, and is a failure. */
export async function play(scenario) {
  // A browser that hangs is waited for without end by much of what asks it.
  setTimeout(() => {
    throw new Error(`no end after ${LIMIT / 60_000} minutes`);
  }, LIMIT);
  await launch();
  await scenario();
  // The driver kills the browser with this process; asked to close, one that hangs would not.
  process.exit();
}

const LIMIT = 10 * 60_000;

async function launch() {
  const isRoot = process.getuid?.() === 0;
  // The driver takes a path, not a name.
  const folders = (process.env.PATH ?? "").split(delimiter);
  const program = folders.map((folder) => resolve(folder, process.env.BROWSER)).find(existsSync);
  browser = await chromium.launch({ executablePath: program, args: isRoot ? ["--no-sandbox"] : [] });
}

export const SMALL = { width: 360, height: 740 };
export const USUAL = { width: 1280, height: 800 };
export const LARGE = { width: 3840, height: 2160 };

/** A page of the console, and what went wrong in it. */
export class Console {
  constructor(page, context, base) {
    this.page = page;
    this.context = context;
    this.base = base;
    this.faults = [];
    /** Faults that a scenario brings about on purpose. */
    this.expected = [];
    const origin = new URL(base).origin;
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && this.faults.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => this.faults.push(`thrown: ${error.message}`));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${origin}/`) && !url.startsWith("data:")) this.faults.push(`a request to elsewhere: ${url}`);
    });
    page.on("dialog", (dialog) => {
      this.faults.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }

  static async open(base, { size = USUAL, scheme = "light", hash = "#/live", credentials } = {}) {
    const context = await browser.newContext({ viewport: size, colorScheme: scheme, reducedMotion: "reduce", ...(credentials && { httpCredentials: credentials }) });
    const opened = new Console(await context.newPage(), context, base);
    await opened.page.addInitScript(() => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
    await opened.page.goto(base + hash);
    return opened;
  }

  /** Opens a view, and waits until it shows something. */
  async go(hash, ready = "main .panel") {
    await this.page.evaluate((hash) => (location.hash = hash), hash);
    await this.page.waitForSelector(ready);
    await this.page.waitForFunction(() => !document.querySelector("main .waiting"));
  }

  /** What axe finds, and whether the page is wider than its window. */
  async assertAccessible(what) {
    await this.page.evaluate(AXE);
    const found = await this.page.evaluate(async () =>
      (await window.axe.run()).violations.flatMap(({ id, nodes }) => nodes.map(({ html, any, all, none }) => `${id}: ${html.slice(0, 200)} ${[...any, ...all, ...none].map(({ message }) => message).join("; ")}`)),
    );
    assert.deepEqual(found, [], what);
    const over = await this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(over <= 0, `${what}: ${over} pixels wider than the window`);
  }

  /** Keeps a picture in the folder that PODSTAMP_SCREENSHOTS names. */
  async picture(name, options = {}) {
    const folder = process.env.PODSTAMP_SCREENSHOTS;
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled", ...options });
  }

  /** Ends the page; fails if anything went wrong in it. */
  async end(what) {
    const violations = await this.page.evaluate(() => window.violations);
    await this.context.close();
    const faults = this.faults.filter((fault) => !this.expected.some((pattern) => pattern.test(fault)));
    assert.deepEqual([...faults, ...violations], [], what);
  }
}
