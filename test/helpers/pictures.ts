import { readdirSync } from 'node:fs';
import sharp from 'sharp';
import { PLACE_FILE } from '../../plugins/pictures/noted-place.js';

/** A real picture as a file of a form. */
export async function pictureFile(name = 'picture.png', width = 40, height = 30): Promise<File> {
  const bytes = await sharp({ create: { width, height, channels: 3, background: '#2a7' } })
    .toFormat(name.endsWith('.png') ? 'png' : 'jpeg')
    .toBuffer();
  return new File([bytes], name, { type: name.endsWith('.png') ? 'image/png' : 'image/jpeg' });
}

/** The names of the pictures in a folder, sorted. */
export const picturesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name !== PLACE_FILE)
    .sort();
