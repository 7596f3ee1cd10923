// The flame graph in the browser, measured against the spans that it shows.

import assert from "node:assert/strict";

/** All bars in sight, as they stand on the screen. */
export function bars(page) {
  return page.evaluate(() => {
    const box = document.querySelector(".flame-box").getBoundingClientRect();
    const measured = (element) => {
      const { left, width, top, height } = element.getBoundingClientRect();
      return { left: left - box.left - 1, width, top, height, text: element.textContent, label: element.getAttribute("aria-label") ?? "", classes: element.className, ...element.dataset };
    };
    return {
      width: document.querySelector(".flame-box").clientWidth,
      shown: [...document.querySelectorAll("[data-span]")].map(measured),
      merged: [...document.querySelectorAll("[data-merged]")].map(measured),
    };
  });
}

/** Scrolls through all lanes, in so many steps at most: every bar that the whole trace has, once. */
export async function allBars(page, steps = Infinity) {
  const found = { width: 0, shown: new Map(), merged: 0, most: 0 };
  for (let top = 0, step = 0; step < steps; step += 1) {
    const { scrolled, height, total } = await page.evaluate(async (top) => {
      const box = document.querySelector(".flame-box");
      box.scrollTop = top;
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      return { scrolled: box.scrollTop, height: box.clientHeight, total: box.scrollHeight };
    }, top);
    const now = await bars(page);
    found.width = now.width;
    found.most = Math.max(found.most, now.shown.length + now.merged.length);
    for (const bar of now.shown) found.shown.set(bar.span, bar);
    for (const bar of now.merged) found.mergedAt = (found.mergedAt ?? new Map()).set(`${bar.top + scrolled} ${bar.left}`, Number(bar.merged));
    if (scrolled + height >= total) break;
    top = scrolled + Math.max(22, height - 44);
  }
  found.merged = [...(found.mergedAt?.values() ?? [])].reduce((sum, count) => sum + count, 0);
  return found;
}

/** Each bar stands where its span's time is, in the first free lane below its parent's. */
export function assertMeasures(trace, found) {
  const spans = new Map(trace.spans.map((span) => [span.id, span]));
  const from = Math.min(0, ...trace.spans.map((span) => span.start_ns));
  const to = Math.max(from + 1, ...trace.spans.map((span) => span.start_ns + span.duration_ns));
  const scale = found.width / (to - from);
  for (const [id, bar] of found.shown) {
    const span = spans.get(id);
    assert.ok(span, `a bar for ${id}, which the trace does not have`);
    assert.equal(Number(bar.start), span.start_ns);
    assert.equal(Number(bar.duration), span.duration_ns);
    const left = (span.start_ns - from) * scale;
    const width = Math.max(1, span.duration_ns * scale);
    assert.ok(Math.abs(bar.left - left) < 1.5, `${id} is at ${bar.left}, and its span at ${left}`);
    assert.ok(Math.abs(bar.width - width) < 1.5, `${id} is ${bar.width} wide, and its span ${width}`);
    const parent = found.shown.get(span.parent);
    if (parent && span.parent !== id) {
      assert.ok(Number(bar.lane) > Number(parent.lane), `${id} is not below its parent`);
      assert.equal(Number(bar.gap), span.start_ns - spans.get(span.parent).start_ns);
    }
    const resource = trace.resources[span.resource];
    const isPodless = ["unknown", "contradicted", "untouched"].includes(resource.found);
    assert.equal(bar.classes.includes("podless"), isPodless, `${id}: ${bar.classes}`);
    if (isPodless) assert.ok((bar.text + bar.label).includes("no pod"), "a word says that there is no pod");
    assert.equal(bar.classes.includes(" error"), span.error);
    if (span.error) assert.ok((bar.text + bar.label).includes("error"), "a word says that there is an error");
  }
  assertLanes([...found.shown.values()]);
}

/** No two bars of a lane overlap, but for what is shorter than can be seen. */
function assertLanes(shown) {
  const lanes = Map.groupBy ? Map.groupBy(shown, ({ lane }) => lane) : grouped(shown);
  for (const [lane, bars] of lanes) {
    bars.sort((one, other) => one.left - other.left);
    bars.slice(1).forEach((bar, index) => {
      const before = bars[index];
      assert.ok(before.left + before.width <= bar.left + 1.5, `in lane ${lane}, ${before.span} overlaps ${bar.span}`);
    });
  }
}

function grouped(shown) {
  const lanes = new Map();
  for (const bar of shown) lanes.set(bar.lane, [...(lanes.get(bar.lane) ?? []), bar]);
  return lanes;
}
