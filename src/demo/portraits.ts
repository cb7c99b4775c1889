import { createHash } from 'node:crypto';
import sharp from 'sharp';
import type { Hair } from './people.js';

const SIZE = 256;

type Colour = readonly [red: number, green: number, blue: number];

const hex = (code: string): Colour => [0, 2, 4].map((at) => Number.parseInt(code.slice(at, at + 2), 16)) as never;

const SKINS = ['f6d7c3', 'ecc19c', 'd39d73', 'a9714b', '82553a'].map(hex);
const HAIRS = ['2b211e', '3d2a22', '1c1b22'].map(hex);
const FAIR_HAIRS = ['a9763f', '6d4a2f', '8d8f97', 'c79a55'].map(hex);
const CLOTHS = ['1f8a8c', '3b6fb6', '7a5ba8', '2f7d5b', 'b2566b', '46606f'].map(hex);
const BACKGROUNDS = [
  'cfe8f3 8fb8de',
  'd8f0e3 86c5a4',
  'fbe7d0 f0b67f',
  'e7e0f6 ab9bd8',
  'fde0e4 e8a0ae',
  'e4edc9 b3c77a',
].map((pair) => pair.split(' ').map(hex) as [Colour, Colour]);
const COAT = hex('f7fafc');
const COAT_EDGE = hex('d3dde6');
const STEEL = hex('3d4955');
const INK = hex('241b1c');

/** How far a point is outside of a shape, in pixels; negative inside. */
type Shape = (x: number, y: number) => number;

const ellipse =
  (centreX: number, centreY: number, radiusX: number, radiusY: number): Shape =>
  (x, y) =>
    (Math.sqrt(((x - centreX) / radiusX) ** 2 + ((y - centreY) / radiusY) ** 2) - 1) * Math.min(radiusX, radiusY);
const both =
  (a: Shape, b: Shape): Shape =>
  (x, y) =>
    Math.max(a(x, y), b(x, y));
const without =
  (a: Shape, b: Shape): Shape =>
  (x, y) =>
    Math.max(a(x, y), -b(x, y));
const line =
  (shape: Shape, width: number): Shape =>
  (x, y) =>
    Math.abs(shape(x, y)) - width / 2;
const above =
  (edge: number): Shape =>
  (_x, y) =>
    y - edge;
const below =
  (edge: number): Shape =>
  (_x, y) =>
    edge - y;

/** The part of the picture that a shape lies in; the rest need not be looked at. */
type Box = readonly [left: number, top: number, right: number, bottom: number];

function paint(pixels: Uint8Array, [left, top, right, bottom]: Box, colour: Colour, shape: Shape): void {
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      // The edge is a pixel wide, which smooths it.
      const cover = Math.min(1, 0.5 - shape(x, y));
      if (cover <= 0) continue;
      const at = (y * SIZE + x) * 3;
      for (let channel = 0; channel < 3; channel++) {
        const under = pixels[at + channel] as number;
        pixels[at + channel] = under + ((colour[channel] as number) - under) * cover;
      }
    }
  }
}

function paintBackground(pixels: Uint8Array, [from, to]: readonly [Colour, Colour]): void {
  for (let at = 0; at < pixels.length; at++) {
    const pixel = Math.floor(at / 3);
    const share = ((pixel % SIZE) + 2 * Math.floor(pixel / SIZE)) / (3 * SIZE);
    const start = from[at % 3] as number;
    pixels[at] = start + ((to[at % 3] as number) - start) * share;
  }
}

const darker = (colour: Colour): Colour => colour.map((value) => value * 0.88) as never;

const BODY = ellipse(128, 258, 98, 92);
const HEAD = ellipse(128, 112, 41, 48);
const FACE = ellipse(128, 128, 39, 42);
const CROWN = ellipse(128, 104, 46, 50);

/** What lies behind the head, and what lies on it. */
const HAIR_SHAPES: Record<Hair, { behind?: Shape; front?: Shape }> = {
  bald: {},
  short: { front: without(both(CROWN, above(112)), FACE) },
  curls: {
    behind: ellipse(128, 96, 62, 56),
    front: without(both(CROWN, above(108)), FACE),
  },
  long: {
    behind: both(ellipse(128, 128, 58, 82), above(196)),
    front: without(both(CROWN, above(118)), ellipse(140, 132, 46, 48)),
  },
  bun: { behind: ellipse(128, 48, 22, 20), front: without(both(CROWN, above(116)), FACE) },
  scarf: {
    behind: both(ellipse(128, 132, 60, 82), above(206)),
    front: without(ellipse(128, 112, 50, 57), ellipse(128, 120, 36, 42)),
  },
};

/**
 * Draws a doctor: 256 by 256 pixels of JPEG, always the same for the same person. It works on raw pixels, because the
 * server allows no decoder that could read a drawing.
 */
export function drawPortrait(person: { name: string; hair: Hair; skin: number }): Promise<Buffer> {
  const chance = createHash('sha256').update(person.name).digest();
  const pick = <T>(list: readonly T[], at: number): T => list[(chance[at] as number) % list.length] as T;
  const skin = SKINS[person.skin] as Colour;
  const cloth = pick(CLOTHS, 0);
  const hair =
    person.hair === 'scarf' ? pick(CLOTHS, 2) : pick(person.skin === 0 ? [...HAIRS, ...FAIR_HAIRS] : HAIRS, 1);
  const { behind, front } = HAIR_SHAPES[person.hair];

  const pixels = new Uint8Array(SIZE * SIZE * 3);
  paintBackground(pixels, pick(BACKGROUNDS, 3));
  if (behind) paint(pixels, [60, 20, 196, 220], hair, behind);
  paint(pixels, [24, 160, 232, SIZE], COAT, BODY);
  // Cloth, and the neck in it, show in the opening of the coat.
  const opening: Shape = (x, y) => (Math.abs(x - 128) - (238 - y) * 0.5) * 0.9;
  paint(pixels, [70, 156, 186, SIZE], cloth, both(BODY, opening));
  paint(pixels, [70, 156, 186, SIZE], COAT_EDGE, both(both(BODY, line(opening, 3)), above(238)));
  const neck: Shape = (x, y) => Math.max(Math.abs(x - 128) - 20, 140 - y);
  paint(pixels, [96, 138, 160, 194], darker(skin), both(neck, ellipse(128, 156, 40, 34)));
  if (person.hair === 'scarf') paint(pixels, [70, 132, 186, 194], hair, ellipse(128, 162, 44, 28));
  paint(pixels, [84, 60, 172, 164], skin, HEAD);
  if (front) paint(pixels, [70, 40, 186, 180], hair, front);

  for (const x of [112, 144]) paint(pixels, [100, 110, 156, 130], INK, ellipse(x, 120, 3.4, 4));
  paint(pixels, [104, 128, 152, 152], INK, both(line(ellipse(128, 130, 13, 12), 2.6), below(135)));
  if ((chance[4] as number) % 3 === 0) {
    for (const x of [112, 144]) paint(pixels, [92, 102, 164, 138], STEEL, line(ellipse(x, 120, 13, 12), 2.4));
    paint(pixels, [124, 116, 132, 124], STEEL, ellipse(128, 120, 4, 1.4));
  }
  if ((chance[5] as number) % 2 === 0) {
    paint(pixels, [70, 170, 186, 228], STEEL, both(line(ellipse(128, 174, 40, 48), 4), below(174)));
    paint(pixels, [112, 210, 144, 238], STEEL, ellipse(128, 224, 9, 9));
    paint(pixels, [112, 210, 144, 238], COAT_EDGE, ellipse(128, 224, 5, 5));
  }
  return sharp(pixels, { raw: { width: SIZE, height: SIZE, channels: 3 } })
    .jpeg({ quality: 88, chromaSubsampling: '4:4:4' })
    .toBuffer();
}
