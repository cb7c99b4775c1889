/** A note beside an embedded database whose rows have gone to a server: what is written here would be missed there. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const noteIn = (dataDir: string): string => join(dataDir, 'moved-to');

export class EmbeddedMoved extends Error {
  override readonly name = 'EmbeddedMoved';
  constructor(dataDir: string) {
    const where = readFileSync(noteIn(dataDir), 'utf8').trim();
    super(
      `the database in ${dataDir} was moved to ${where}: set DATABASE_URL to that; to use the old one, without what was ` +
        `stored since, remove ${noteIn(dataDir)}`,
    );
  }
}

/** @param where without a password */
export const noteMove = (dataDir: string, where: string): void =>
  writeFileSync(noteIn(dataDir), `${where} on ${new Date().toISOString()}\n`);

/** @throws EmbeddedMoved */
export function refuseMoved(dataDir: string): void {
  if (existsSync(noteIn(dataDir))) throw new EmbeddedMoved(dataDir);
}
