import sharp from 'sharp';

/** A real picture as a file of a form. */
export async function pictureFile(name = 'picture.png', width = 40, height = 30): Promise<File> {
  const bytes = await sharp({ create: { width, height, channels: 3, background: '#2a7' } })
    .toFormat(name.endsWith('.png') ? 'png' : 'jpeg')
    .toBuffer();
  return new File([bytes], name, { type: name.endsWith('.png') ? 'image/png' : 'image/jpeg' });
}
