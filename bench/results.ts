/** What a run has found, as files that the README shows. */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Target } from './endpoints.js';
import type { Load } from './drive.js';
import type { Shape } from './data.js';

export interface Result {
  readonly name: string;
  readonly target: Target;
  readonly isMet: boolean;
  readonly product: Load;
  readonly floor?: Load;
  /** Of the throughputs, product to floor, of the rounds. */
  readonly ratio?: { readonly median: number; readonly least: number; readonly most: number };
}

interface Circumstances extends Shape {
  readonly rounds: number;
  readonly seconds: number;
}

const ROW = 18;
const TOP = 48;
const LEFT = 290;
/** Of a ratio of 1. */
const UNIT = 200;
const MOST = 2;

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** A bar for every endpoint that has a floor, whose throughput is the line at 1. */
function plot(results: readonly Result[], title: string): string {
  const rows = results.flatMap(({ name, ratio, target, isMet }, at) => {
    if (ratio === undefined || !('ratio' in target)) return [];
    const y = TOP + ROW * at;
    const [least, most] = [ratio.least, ratio.most].map((value) => LEFT + Math.min(value, MOST) * UNIT);
    return `
  <text x="${LEFT - 8}" y="${y + 13}" text-anchor="end">${escaped(name)}</text>
  <rect class="${isMet ? 'met' : 'missed'}" x="${LEFT}" y="${y + 3}" width="${(Math.min(ratio.median, MOST) * UNIT).toFixed(1)}" height="${ROW - 6}"/>
  <path class="spread" d="M${least?.toFixed(1)} ${y + ROW / 2}H${most?.toFixed(1)}"/>
  <path class="target" d="M${LEFT + target.ratio * UNIT} ${y + 1}v${ROW - 2}"/>
  <text x="${LEFT + MOST * UNIT + 8}" y="${y + 13}">${ratio.median.toFixed(2)}</text>`;
  });
  const bottom = TOP + ROW * results.length;
  const [width, height] = [LEFT + MOST * UNIT + 50, bottom + 8];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
  <title>${escaped(title)}</title>
  <style>
    text { font: 12px system-ui, sans-serif; fill: #24292f; }
    .title { font-weight: 600; }
    .met { fill: #2f81f7; }
    .missed { fill: #d29922; }
    .spread { stroke: #24292f; opacity: 0.5; }
    .target { stroke: #cf222e; stroke-width: 2; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .spread { stroke: #e6edf3; }
      .target { stroke: #ff7b72; }
    }
  </style>
  <text class="title" x="12" y="20">${escaped(title)}</text>
  <text x="12" y="38">A bar is the product's throughput where the floor's is 1, blue where it reaches the upright line, the target.</text>${rows.join('')}
</svg>
`;
}

const folder = new URL('../../bench/results/', import.meta.url);

/** Of figures in JSON. */
export const rounded = (_name: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;

export async function writeResults(results: readonly Result[], circumstances: Circumstances): Promise<void> {
  const { doctors, appointments } = circumstances;
  const machine = { node: process.version, processors: availableParallelism() };
  const withFloor = results.filter(({ ratio }) => ratio !== undefined);
  const title = `${appointments.toLocaleString('en')} appointments, ${doctors.toLocaleString('en')} doctors`;
  await mkdir(folder, { recursive: true });
  await writeFile(
    new URL('latest.json', folder),
    `${JSON.stringify({ ...circumstances, ...machine, results }, rounded, 2)}\n`,
  );
  await writeFile(new URL('latest.svg', folder), plot(withFloor, title));
}
