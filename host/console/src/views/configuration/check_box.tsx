// A box for a configuration: what `podstamp check` says about it.

import { useState } from "preact/hooks";
import { ask } from "../../data/ask";
import type { Checked } from "../../data/contract";
import { count } from "../../format";
import { Mark } from "../../parts/mark";
import { Failed, Panel } from "../../parts/notice";
import { Text, WholeText } from "../../parts/text";
import { Document, Placeless } from "./document";

export function CheckBox() {
  const [text, setText] = useState("");
  const [state, setState] = useState<{ answer: Checked | null; error: string | null; waits: boolean }>({ answer: null, error: null, waits: false });
  const check = async () => {
    setState((was) => ({ ...was, waits: true }));
    try {
      const answer = await ask<Checked>("console/check", { method: "POST", body: text, headers: { "content-type": "text/plain" } });
      setState({ answer, error: null, waits: false });
    } catch (error) {
      setState({ answer: null, error: error instanceof Error ? error.message : String(error), waits: false });
    }
  };
  const { answer, error, waits } = state;
  return (
    <Panel id="check" title="Check a configuration" note="it is read, not used">
      <form onSubmit={(event) => { event.preventDefault(); void check(); }}>
        <label class="box">
          A Collector's document, or the manifest that it stands in
          <textarea rows={10} spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <button type="submit" disabled={waits || text.trim() === ""}>Check</button>
      </form>
      <div role="status" class="outcome">
        {answer && (answer.faults.length === 0 ? <Mark tone="good">no faults</Mark> : <Mark tone="bad">{count(answer.faults.length)} {answer.faults.length === 1 ? "fault" : "faults"}: podstamp would not start with it</Mark>)}
      </div>
      <Failed error={error} />
      {answer && (
        <>
          <ul class="placeless">
            {answer.faults.map(({ path, message }) => <li><Mark tone="bad">fault</Mark> {path && <><code><Text value={path} max={200} /></code> </>}<WholeText value={message} max={600} /></li>)}
          </ul>
          <Placeless notices={answer.notices} />
          <Document lines={answer.lines} label="The checked configuration" />
        </>
      )}
    </Panel>
  );
}
