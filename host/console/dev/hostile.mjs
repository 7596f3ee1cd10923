// Names as somebody may send them who wishes the page harm. Each text becomes another one, always the same for the same text.

const TWISTS = [
  (text) => `<script>window.harmed = true</script>${text}`,
  (text) => `"><img src=x onerror="window.harmed = true">${text}`,
  (text) => `\u202e${text}\u2066gpj.exe`,
  (text) => `${text}\u0000\u0007\u001b[31m\r\n\u200b\u200d\ufeff\u{e0041}`,
  // A megabyte, for few of the texts: podstamp itself cuts long before.
  (text) => text + "x".repeat(/\d/.test(text) ? 3_000 : 1_000_000),
  (text) => `\u0627\u0644\u0633\u0644\u0629 ${text} \u05e2\u05d2\u05dc\u05d4`,
  (text) => `${text}${"\u0301".repeat(300)}`,
  (text) => `${text}\ud800`,
  (text) => `javascript:window.harmed=true//${text}`,
  () => "",
  () => "__proto__",
  (text) => `{{constructor.constructor('window.harmed=1')()}}${text}\${window.harmed=1}`,
  (text) => `${text}${"W".repeat(3_000)}`,
];

export function hostile(text) {
  let sum = 0;
  for (const char of text) sum = (sum * 31 + char.codePointAt(0)) >>> 0;
  return TWISTS[sum % TWISTS.length](text);
}
