// Small plots: a line over the last minutes, drawn as SVG. The number beside it says the same in words.

export interface PlotLine {
  /** `null` where there is no value: the line has a gap there. */
  values: (number | null)[];
  /** A second line is dashed. */
  dashed?: boolean;
}

/** `at`: how many seconds ago each value was. Newest at the right; the plot is as wide as `seconds`. */
export function Plot({ lines, at, seconds, label, small = false }: { lines: PlotLine[]; at: number[]; seconds: number; label: string; small?: boolean }) {
  const height = small ? 20 : 48;
  const most = Math.max(1e-9, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const y = (value: number) => round(height - 1 - (value / most) * (height - 3));
  const x = (index: number) => round(seconds - Math.min(seconds, at[index] ?? 0));
  return (
    <svg class={small ? "plot small" : "plot"} viewBox={`0 0 ${seconds} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <line class="plot-base" x1="0" x2={seconds} y1={height - 0.5} y2={height - 0.5} />
      {lines.map(({ values, dashed }) => (
        <>
          {!dashed && <path class="plot-area" d={area(values, x, y, height)} />}
          <path class={dashed ? "plot-line dashed" : "plot-line"} d={line(values, x, y)} />
        </>
      ))}
    </svg>
  );
}

type Scale = (value: number) => number;

function line(values: (number | null)[], x: Scale, y: Scale): string {
  let path = "";
  let pen = "M";
  values.forEach((value, index) => {
    if (value === null) {
      pen = "M";
      return;
    }
    path += `${pen}${x(index)} ${y(value)}`;
    pen = "L";
  });
  return path;
}

function area(values: (number | null)[], x: Scale, y: Scale, height: number): string {
  let path = "";
  let open: number | null = null;
  const close = (index: number) => {
    if (open !== null) path += `L${x(index)} ${height}L${x(open)} ${height}Z`;
    open = null;
  };
  values.forEach((value, index) => {
    if (value === null) return close(index - 1);
    path += `${open === null ? "M" : "L"}${x(index)} ${y(value)}`;
    open ??= index;
  });
  close(values.length - 1);
  return path;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
