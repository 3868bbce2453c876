/**
 * Requests over time as an SVG drawing.
 *
 * @module
 */

import type { Requests, Span } from "./simulate.ts";

/** One line of the drawing. */
export interface Series {
  readonly name: string;
  readonly color: string;
  readonly requests: Requests;
}

/** A span that is marked. */
export interface Mark {
  readonly name: string;
  readonly span: Span;
}

const [WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM] = [960, 372, 56, 44, 28, 52];
const HOUR = 3600;
const DAY_MS = 24 * HOUR * 1000;

/** The highest second of each hour, on a logarithmic scale; days below, requests a second beside. */
export function plotFleet(series: readonly Series[], marks: readonly Mark[]): string {
  const seconds = series[0]!.requests.length;
  const most = Math.max(...series.flatMap(({ requests }) => hourlyPeaks(requests)));
  const decades = Math.ceil(Math.log10(most));
  const x = (second: number) => LEFT + (WIDTH - LEFT - RIGHT) * second / seconds;
  const y = (value: number) =>
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * Math.log10(Math.max(value, 1)) / decades;
  const place = (value: number) => value.toFixed(1);
  const text = (px: number, py: number, words: string, rest = "") =>
    `<text x="${place(px)}" y="${place(py)}"${rest}>${words}</text>`;

  const lines: string[] = [];
  for (let decade = 0; decade <= decades; decade++) {
    const at = y(10 ** decade);
    lines.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${place(at)}" y2="${
        place(at)
      }" stroke="#ddd"/>`,
      text(
        LEFT - 8,
        at + 4,
        decade === 0 ? "0, 1" : (10 ** decade).toLocaleString("en"),
        ' text-anchor="end"',
      ),
    );
  }
  for (let day = 0; day * 24 * HOUR <= seconds; day += 5) {
    lines.push(text(x(day * 24 * HOUR), HEIGHT - 34, `day ${day}`, ' text-anchor="middle"'));
  }
  for (const { name, span } of marks) {
    const at = x(span.from / 1000);
    const width = Math.max(2, x(span.until / 1000) - at);
    const area = `x="${place(at)}" y="${TOP}" width="${place(width)}" height="${
      HEIGHT - TOP - BOTTOM
    }"`;
    lines.push(`<rect ${area} fill="#f3d9a4"/>`, text(at + 6, TOP + 12, name));
  }
  for (const [i, { name, color, requests }] of series.entries()) {
    const points = hourlyPeaks(requests)
      .map((peak, hour) => `${place(x(hour * HOUR))},${place(y(peak))}`).join(" ");
    lines.push(
      `<polyline points="${points}" fill="none" stroke="${color}" stroke-width="1.2"/>`,
      text(LEFT + 260 * i, 20, name, ` fill="${color}" font-weight="bold"`),
    );
  }
  const title = "Requests for certificates, highest second of each hour";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img">
<title>${title}</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${text(LEFT, HEIGHT - 10, `${title} (${(seconds * 1000 / DAY_MS).toFixed(0)} days)`)}
${lines.join("\n")}
</svg>
`;
}

function hourlyPeaks(requests: Requests): number[] {
  return Array.from({ length: Math.ceil(requests.length / HOUR) }, (_, hour) => {
    let peak = 0;
    for (const count of requests.subarray(hour * HOUR, (hour + 1) * HOUR)) {
      if (count > peak) peak = count;
    }
    return peak;
  });
}
