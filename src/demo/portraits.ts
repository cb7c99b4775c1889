import { createHash } from 'node:crypto';
import {
  above,
  below,
  both,
  ellipse,
  hex,
  line,
  paint,
  paintBackground,
  SIZE,
  toJpeg,
  without,
  type Colour,
  type Shape,
} from './drawing.js';
import type { Hair } from './people.js';

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

export interface Sitter {
  readonly name: string;
  readonly hair: Hair;
  readonly skin: number;
  /** A doctor wears a coat. */
  readonly isDoctor: boolean;
}

/** Draws a person: 256 by 256 pixels of JPEG, always the same for the same name. */
export function drawPortrait(person: Sitter): Promise<Buffer> {
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
  paint(pixels, [24, 160, 232, SIZE], person.isDoctor ? COAT : cloth, BODY);
  // Cloth, and the neck in it, show in the opening of the coat.
  const opening: Shape = (x, y) => (Math.abs(x - 128) - (238 - y) * 0.5) * 0.9;
  if (person.isDoctor) {
    paint(pixels, [70, 156, 186, SIZE], cloth, both(BODY, opening));
    paint(pixels, [70, 156, 186, SIZE], COAT_EDGE, both(both(BODY, line(opening, 3)), above(238)));
  }
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
  if (person.isDoctor && (chance[5] as number) % 2 === 0) {
    paint(pixels, [70, 170, 186, 228], STEEL, both(line(ellipse(128, 174, 40, 48), 4), below(174)));
    paint(pixels, [112, 210, 144, 238], STEEL, ellipse(128, 224, 9, 9));
    paint(pixels, [112, 210, 144, 238], COAT_EDGE, ellipse(128, 224, 5, 5));
  }
  return toJpeg(pixels);
}
