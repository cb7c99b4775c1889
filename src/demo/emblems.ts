import { above, below, both, ellipse, hex, line, paint, paintBackground, SIZE, toJpeg, without } from './drawing.js';
import type { Shape } from './drawing.js';

const WHITE = hex('ffffff');

const either =
  (...shapes: Shape[]): Shape =>
  (x, y) =>
    Math.min(...shapes.map((shape) => shape(x, y)));
const box =
  (left: number, top: number, right: number, bottom: number): Shape =>
  (x, y) =>
    Math.max(left - x, x - right, top - y, y - bottom);
const EMBLEMS = {
  cross: ['2f7d5b 86c5a4', either(box(106, 64, 150, 192), box(64, 106, 192, 150))],
  heart: [
    'b2566b e8a0ae',
    either(
      ellipse(100, 108, 38, 38),
      ellipse(156, 108, 38, 38),
      both((x, y) => (Math.abs(x - 128) - (200 - y) * 0.82) * 0.77, below(126)),
    ),
  ],
  eye: [
    '3b6fb6 8fb8de',
    either(line(both(ellipse(128, 176, 96, 96), ellipse(128, 80, 96, 96)), 12), ellipse(128, 128, 26, 26)),
  ],
  drop: [
    '8c2f39 d98c86',
    either(
      ellipse(128, 152, 46, 46),
      both((x, y) => Math.abs(x - 128) - (y - 56) * 0.52, above(140)),
    ),
  ],
  bone: [
    '46606f a9bcc8',
    either(box(86, 114, 170, 142), ...[84, 172].flatMap((x) => [108, 148].map((y) => ellipse(x, y, 24, 24)))),
  ],
  scan: ['7a5ba8 ab9bd8', either(line(ellipse(128, 128, 72, 72), 16), line(ellipse(128, 128, 36, 36), 12))],
  syringe: [
    '1f8a8c 7fc8c4',
    either(box(112, 92, 144, 180), box(124, 180, 132, 216), box(96, 60, 160, 72), box(122, 72, 134, 92)),
  ],
  tooth: [
    'c9822b f0b67f',
    without(
      either(ellipse(104, 108, 42, 46), ellipse(152, 108, 42, 46), both(ellipse(128, 132, 58, 76), below(108))),
      ellipse(128, 206, 22, 62),
    ),
  ],
} as const satisfies Readonly<Record<string, readonly [colours: string, shape: Shape]>>;

export type Emblem = keyof typeof EMBLEMS;

/** Draws the picture of a service: 256 by 256 pixels of JPEG. */
export function drawEmblem(emblem: Emblem): Promise<Buffer> {
  const [colours, shape] = EMBLEMS[emblem];
  const [from = '', to = ''] = colours.split(' ');
  const pixels = new Uint8Array(SIZE * SIZE * 3);
  paintBackground(pixels, [hex(from), hex(to)]);
  paint(pixels, [20, 20, 236, 236], WHITE, shape);
  return toJpeg(pixels);
}
