// Text ready to be copied.

import { useRef, useState } from "preact/hooks";

export function Snippet({ text, label }: { text: string; label: string }) {
  const code = useRef<HTMLPreElement>(null);
  const [told, setTold] = useState("");
  const copy = async () => {
    setTold((await copied(text, code.current)) ? "copied" : "selected: copy it with the keyboard");
    window.setTimeout(() => setTold(""), 3_000);
  };
  return (
    <div class="snippet">
      <pre ref={code} tabIndex={0} role="group" aria-label={label}>{text}</pre>
      <button type="button" class="small" onClick={copy}>Copy</button>
      <span class="told" role="status">{told}</span>
    </div>
  );
}

/** Where a browser gives no clipboard, as without TLS, the text is selected at least. */
async function copied(text: string, element: HTMLElement | null): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const selection = getSelection();
    if (!element || !selection) return false;
    selection.selectAllChildren(element);
    return document.execCommand("copy");
  }
}
