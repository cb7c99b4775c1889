/** Shapes drawn on raw pixels: the server allows no decoder that could read a drawing. */
import sharp from 'sharp';

/** The width and height of a picture, in pixels. */
export const SIZE = 256;

export type Colour = readonly [red: number, green: number, blue: number];

/** A colour from its code, such as `f7fafc`. */
export const hex = (code: string): Colour =>
  [0, 2, 4].map((at) => Number.parseInt(code.slice(at, at + 2), 16)) as never;

/** How far a point is outside of a shape, in pixels; negative inside. */
export type Shape = (x: number, y: number) => number;

export const ellipse =
  (centreX: number, centreY: number, radiusX: number, radiusY: number): Shape =>
  (x, y) =>
    (Math.sqrt(((x - centreX) / radiusX) ** 2 + ((y - centreY) / radiusY) ** 2) - 1) * Math.min(radiusX, radiusY);
export const both =
  (a: Shape, b: Shape): Shape =>
  (x, y) =>
    Math.max(a(x, y), b(x, y));
export const without =
  (a: Shape, b: Shape): Shape =>
  (x, y) =>
    Math.max(a(x, y), -b(x, y));
export const line =
  (shape: Shape, width: number): Shape =>
  (x, y) =>
    Math.abs(shape(x, y)) - width / 2;
export const above =
  (edge: number): Shape =>
  (_x, y) =>
    y - edge;
export const below =
  (edge: number): Shape =>
  (_x, y) =>
    edge - y;

/** The part of the picture that a shape lies in; the rest need not be looked at. */
export type Box = readonly [left: number, top: number, right: number, bottom: number];

export function paint(pixels: Uint8Array, [left, top, right, bottom]: Box, colour: Colour, shape: Shape): void {
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

export function paintBackground(pixels: Uint8Array, [from, to]: readonly [Colour, Colour]): void {
  for (let at = 0; at < pixels.length; at++) {
    const pixel = Math.floor(at / 3);
    const share = ((pixel % SIZE) + 2 * Math.floor(pixel / SIZE)) / (3 * SIZE);
    const start = from[at % 3] as number;
    pixels[at] = start + ((to[at % 3] as number) - start) * share;
  }
}

export function toJpeg(pixels: Uint8Array): Promise<Buffer> {
  return sharp(pixels, { raw: { width: SIZE, height: SIZE, channels: 3 } })
    .jpeg({ quality: 88, chromaSubsampling: '4:4:4' })
    .toBuffer();
}
