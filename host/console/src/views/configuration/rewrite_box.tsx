// A box for one OTLP request: what would be stamped, and why. It is sent nowhere.

import { useState } from "preact/hooks";
import { ask } from "../../data/ask";
import type { Rewritten } from "../../data/contract";
import { count } from "../../format";
import { FoundMark, Mark } from "../../parts/mark";
import { Failed, Panel } from "../../parts/notice";
import { None, Text, WholeText } from "../../parts/text";
import { ReasonsGiven } from "../who/reasons";

export function RewriteBox() {
  const [state, setState] = useState<{ answer: Rewritten | null; error: string | null; waits: boolean }>({ answer: null, error: null, waits: false });
  const [text, setText] = useState("");
  const rewrite = async (form: HTMLFormElement) => {
    setState((was) => ({ ...was, waits: true }));
    const query = new URLSearchParams();
    for (const [key, value] of new FormData(form)) if (typeof value === "string" && value.trim() !== "" && key !== "body") query.set(key, value.trim());
    const type = text.trimStart().startsWith("{") ? "application/json" : "text/plain";
    try {
      const answer = await ask<Rewritten>(`console/rewrite?${query}`, { method: "POST", body: text, headers: { "content-type": type } });
      setState({ answer, error: null, waits: false });
    } catch (error) {
      setState({ answer: null, error: error instanceof Error ? error.message : String(error), waits: false });
    }
  };
  const { answer, error, waits } = state;
  return (
    <Panel id="rewrite" title="Try a request" note="it is sent nowhere">
      <form onSubmit={(event) => { event.preventDefault(); void rewrite(event.currentTarget); }}>
        <label class="box">
          One OTLP request, as JSON or as hex
          <textarea name="body" rows={10} spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <div class="box-fields">
          <label>Signal <select name="signal"><option value="traces">traces</option><option value="metrics">metrics</option><option value="logs">logs</option></select></label>
          <label>Comes from <input name="peer" placeholder="an IP address" autocomplete="off" /></label>
          <label>X-Forwarded-For <input name="forwarded_for" autocomplete="off" /></label>
          <button type="submit" disabled={waits || text.trim() === ""}>Try</button>
          <button type="button" onClick={() => setText(EXAMPLE)}>An example</button>
        </div>
      </form>
      <div role="status" class="outcome">
        {answer && (answer.verdict === "forward" ? <Mark tone="good">it would be forwarded</Mark> : <Mark tone="bad">it would be refused</Mark>)}
        {answer?.message && <> <WholeText value={answer.message} max={1_000} /></>}
      </div>
      <Failed error={error} />
      {answer?.resources.map((resource) => (
        <section class="rewritten">
          <h3>
            <Text value={resource.service || "(no service.name)"} max={80} /> <span class="number">{resource.address ? <Text value={resource.address} /> : <None word="no address" />}</span> <FoundMark value={resource.found} pod={resource.pod !== null} />{" "}
            <span class="aside">{count(resource.spans)} {resource.spans === 1 ? "span" : "spans"}</span>
          </h3>
          <ReasonsGiven reasons={resource} stamped={resource.address} />
        </section>
      ))}
    </Panel>
  );
}

const EXAMPLE = JSON.stringify(
  {
    resourceSpans: [{
      resource: { attributes: [{ key: "service.name", value: { stringValue: "cart" } }, { key: "k8s.pod.name", value: { stringValue: "cart-0" } }, { key: "k8s.namespace.name", value: { stringValue: "shop" } }] },
      scopeSpans: [{ spans: [{ traceId: "5b8efff798038103d269b633813fc60c", spanId: "eee19b7ec3c1b174", name: "GET /cart", kind: 2, startTimeUnixNano: "1700000000000000000", endTimeUnixNano: "1700000000005000000" }] }],
    }],
  },
  null,
  1,
);
