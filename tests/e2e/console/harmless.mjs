// What no name may bring about in the page.

import assert from "node:assert/strict";

/** Nothing ran, no element came of a name, and no character of one is hidden or turns the text around it. */
export async function assertHarmless(page, view) {
  const found = await page.evaluate(() => ({
    harmed: window.harmed === undefined ? 0 : 1,
    scripts: document.scripts.length,
    images: document.images.length,
    links: [...document.links].filter(({ protocol }) => !["http:", "https:"].includes(protocol)).length,
    styles: document.querySelectorAll("style").length,
    hidden: [...document.querySelectorAll("main bdi")].map(({ textContent }) => textContent.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])/u)?.[0]).filter(Boolean).length,
    unisolated: [...document.querySelectorAll("main bdi")].filter((element) => getComputedStyle(element).unicodeBidi !== "isolate").length,
    longest: Math.max(0, ...[...document.querySelectorAll("main bdi:not(.whole), main [title]")].map((element) => Math.max(element.textContent.length, element.title.length))),
  }));
  assert.deepEqual({ ...found, longest: 0 }, { harmed: 0, scripts: 1, images: 0, links: 0, styles: 0, hidden: 0, unisolated: 0, longest: 0 }, view);
  assert.ok(found.longest < 20_000, `${view}: a text of ${found.longest}`);
}
