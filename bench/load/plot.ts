/** What a load has found, as the picture that docs/operations.md shows. */
import type { Usage } from '../usage.js';

/** What was read at a moment, of the time since the reading before. */
export interface Reading {
  readonly seconds: number;
  /** Answers a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p99: number;
  readonly parts: Readonly<Record<string, Usage>>;
}

const [WIDTH, LEFT, TOP, HEIGHT, GAP] = [620, 60, 48, 110, 46] as const;
const COLOURS = ['#2f81f7', '#2da44e', '#d29922', '#a371f7'];
const SINGLE = '#cf222e';

interface Panel {
  readonly title: string;
  readonly lines: readonly { readonly colour: string; readonly value: (reading: Reading) => number }[];
}

/** The next round number, so that the axis has a label that can be read. */
export function roundedUp(value: number): number {
  if (!(value > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8].find((each) => each * unit >= value) ?? 10;
  return Number((step * unit).toPrecision(2));
}

export function plot(readings: readonly Reading[], title: string): string {
  const parts = Object.keys(readings[0]?.parts ?? {});
  const last = readings.at(-1)?.seconds ?? 1;
  const colourOf = (part: string): string => COLOURS[parts.indexOf(part) % COLOURS.length] as string;
  const linesOf = (what: keyof Usage, of: readonly string[]): Panel['lines'] =>
    of.map((part) => ({ colour: colourOf(part), value: (reading) => reading.parts[part]?.[what] ?? NaN }));
  const single = (value: (reading: Reading) => number): Panel['lines'] => [{ colour: SINGLE, value }];
  // It has so many that those of the others would be a line on the ground.
  const many = parts.filter((part) => part === 'PostgreSQL');
  const few = parts.filter((part) => part !== 'PostgreSQL');
  const panels: readonly Panel[] = [
    { title: 'memory, MiB', lines: linesOf('memory', parts) },
    { title: 'open descriptors', lines: linesOf('descriptors', few) },
    ...many.map((part) => ({ title: `open descriptors of ${part}`, lines: linesOf('descriptors', [part]) })),
    { title: 'answers a second', lines: single(({ rate }) => rate) },
    { title: '99th percentile of the time to an answer, ms', lines: single(({ p99 }) => p99) },
  ];
  const drawn = panels.map(({ title, lines }, at) => {
    const most = roundedUp(Math.max(...lines.flatMap(({ value }) => readings.map(value)).filter(Number.isFinite)));
    const top = TOP + at * (HEIGHT + GAP);
    const x = ({ seconds }: Reading): string => (LEFT + (seconds / last) * WIDTH).toFixed(1);
    const y = (value: number): string => (top + HEIGHT * (1 - value / most)).toFixed(1);
    const shown = lines.map(({ colour, value }) => {
      const points = readings.filter((reading) => Number.isFinite(value(reading)));
      const placed = points.map((reading) => `${x(reading)},${y(value(reading))}`);
      return `\n  <polyline class="line" stroke="${colour}" points="${placed.join(' ')}"/>`;
    });
    return `
  <text x="${LEFT}" y="${top - 8}">${title}</text>
  <path class="axis" d="M${LEFT} ${top}h${WIDTH}M${LEFT} ${top + HEIGHT / 2}h${WIDTH}M${LEFT} ${top + HEIGHT}h${WIDTH}"/>
  <text x="${LEFT - 8}" y="${top + 4}" text-anchor="end">${most}</text>
  <text x="${LEFT - 8}" y="${top + HEIGHT / 2 + 4}" text-anchor="end">${most / 2}</text>
  <text x="${LEFT - 8}" y="${top + HEIGHT + 4}" text-anchor="end">0</text>${shown.join('')}`;
  });
  const bottom = TOP + panels.length * (HEIGHT + GAP);
  const marks = [0, 1, 2, 3, 4].map((quarter) => {
    const minutes = Number(((last * quarter) / 240).toFixed(1));
    return `
  <text x="${LEFT + (WIDTH * quarter) / 4}" y="${bottom - GAP + 18}" text-anchor="middle">${minutes} min</text>`;
  });
  const legend = parts.map((part, index) => {
    const left = LEFT + index * 130;
    return `
  <path stroke="${colourOf(part)}" class="line" d="M${left} ${bottom - 4}h20"/>
  <text x="${left + 26}" y="${bottom}">${part}</text>`;
  });
  const [width, height] = [LEFT + WIDTH + 30, bottom + 12];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
  <title>${title}</title>
  <style>
    text { font: 12px system-ui, sans-serif; fill: #24292f; }
    .title { font-weight: 600; }
    .line { fill: none; stroke-width: 1.5; }
    .axis { stroke: #8b949e; stroke-width: 0.5; }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }
  </style>
  <text class="title" x="${LEFT}" y="20">${title}</text>${drawn.join('')}${marks.join('')}${legend.join('')}
</svg>
`;
}
