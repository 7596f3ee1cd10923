// Which characters of foreign text would hide something, or move the text around them.

export interface Piece {
  text: string;
  /** It stands for a character that would not be seen. */
  stands: boolean;
}

/** The text in pieces, with a visible sign for each character that shows nothing or turns the direction. */
export function visible(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > from) pieces.push({ text: text.slice(from, match.index), stands: false });
    pieces.push({ text: sign(match[0]), stands: true });
    from = match.index + match[0].length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), stands: false });
  return pieces;
}

/** The same as one text, for places that hold no elements. */
export function visibleText(text: string): string {
  return text.replace(HIDDEN, sign);
}

/** The beginning of a text, never half of a character. */
export function beginning(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? length - 1 : length);
}

function sign(characters: string): string {
  const code = characters.codePointAt(0) ?? 0;
  if (characters.length > 2) return `${characters.length} marks`;
  if (code < 0x80) return ESCAPES[code] ?? `\\x${code.toString(16).padStart(2, "0")}`;
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

const ESCAPES: Record<number, string> = { 0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r" };

/**
 * Control characters, those that turn the direction (Unicode Standard Annex 9), those without width, separators of lines,
 * halves of surrogate pairs, noncharacters and tags. Of the marks that are
 * piled on one letter, those after the fourth: they would cover the lines around.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\ufffe\uffff]|(?<=\p{M}{4})\p{M}{3,}/gu;
