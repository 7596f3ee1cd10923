// Small plots: a line over the last minutes, drawn as SVG. The number beside it says the same in words.

export interface PlotLine {
  /** `null` where there is no value: the line has a gap there. */
  values: (number | null)[];
  /** A second line is dashed. */
  dashed?: boolean;
}

/** Newest at the right; the plot is as wide as `points` seconds. */
export function Plot({ lines, points, label, small = false }: { lines: PlotLine[]; points: number; label: string; small?: boolean }) {
  const height = small ? 20 : 48;
  const most = Math.max(1e-9, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0)));
  return (
    <svg class={small ? "plot small" : "plot"} viewBox={`0 0 ${points - 1} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <line class="plot-base" x1="0" x2={points - 1} y1={height - 0.5} y2={height - 0.5} />
      {lines.map(({ values, dashed }) => {
        const at = (value: number) => round(height - 1 - (value / most) * (height - 3));
        const from = points - values.length;
        return (
          <>
            {!dashed && <path class="plot-area" d={area(values, from, at, height)} />}
            <path class={dashed ? "plot-line dashed" : "plot-line"} d={line(values, from, at)} />
          </>
        );
      })}
    </svg>
  );
}

function line(values: (number | null)[], from: number, at: (value: number) => number): string {
  let path = "";
  let pen = "M";
  values.forEach((value, index) => {
    if (value === null) {
      pen = "M";
      return;
    }
    path += `${pen}${from + index} ${at(value)}`;
    pen = "L";
  });
  return path;
}

function area(values: (number | null)[], from: number, at: (value: number) => number, height: number): string {
  let path = "";
  let open: number | null = null;
  const close = (index: number) => {
    if (open !== null) path += `L${from + index} ${height}L${from + open} ${height}Z`;
    open = null;
  };
  values.forEach((value, index) => {
    if (value === null) return close(index - 1);
    path += `${open === null ? "M" : "L"}${from + index} ${at(value)}`;
    open ??= index;
  });
  close(values.length - 1);
  return path;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
