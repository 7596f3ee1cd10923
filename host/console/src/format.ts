// Numbers as people read them.

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export function count(value: number): string {
  return plain.format(value);
}

/** A rate or an estimate: three digits are enough. */
export function rate(value: number): string {
  if (value === 0) return "0";
  if (value < 0.01) return "<0.01";
  if (value < 100) return String(Number(value.toPrecision(3)));
  return value < 10_000 ? plain.format(value) : compact.format(value);
}

export function bytes(value: number): string {
  let rest = value;
  let unit = 0;
  while (rest >= 1024 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(rest) : Number(rest.toPrecision(3))} ${UNITS[unit]}`;
}

/** Nanoseconds with the unit that suits them. */
export function nanoseconds(value: number): string {
  const size = Math.abs(value);
  if (size < 1e3) return `${Math.round(value)} ns`;
  if (size < 1e6) return `${digits(value / 1e3)} µs`;
  if (size < 1e9) return `${digits(value / 1e6)} ms`;
  if (size < 60e9) return `${digits(value / 1e9)} s`;
  return seconds(value / 1e9);
}

export function milliseconds(value: number): string {
  return nanoseconds(value * 1e6);
}

/** Seconds as the two largest units. */
export function seconds(value: number): string {
  if (value < 60) return `${digits(value)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return pair(whole, 60, "min", 1, "s");
  if (whole < 86_400) return pair(whole, 3600, "h", 60, "min");
  return pair(whole, 86_400, "d", 3600, "h");
}

/** How long ago, by podstamp's clock. */
export function ago(thenMs: number, nowMs: number): string {
  const past = (nowMs - thenMs) / 1000;
  return past < 1.5 ? "now" : `${seconds(Math.round(past))} ago`;
}

export function time(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB", { hour12: false });
}

/** The date and the time, to the millisecond. */
export function instant(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return "no time";
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${time(ms)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** The time, and the date where it is another day. */
export function when(ms: number): string {
  const text = instant(ms);
  return text.slice(0, 10) === instant(Date.now()).slice(0, 10) ? text.slice(11) : text;
}

function pair(value: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((value % large) / small);
  const first = `${plain.format(Math.floor(value / large))} ${largeUnit}`;
  return rest === 0 ? first : `${first} ${rest} ${smallUnit}`;
}

function digits(value: number): string {
  return Math.abs(value) >= 1000 ? plain.format(value) : String(Number(value.toPrecision(3)));
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
