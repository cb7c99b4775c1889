/** The demo's hospital in a database, for a server to run on. */
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import type postgres from 'postgres';
import { openDatabase, type Database, type Db } from '../../db/client.js';
import { connect } from '../../db/connect.js';
import { openEmbedded } from '../../db/embedded/index.js';
import { serviceKeys } from '../../db/tables/index.js';
import { openFolder } from '../../plugins/pictures/folder.js';
import { readConfig } from '../../src/config.js';
import { seedDemo } from '../../src/demo/seed.js';
import { calendarOf } from '../../src/scheduling/calendar.js';

/** Fills an empty database, and the folder of the pictures of the server that is to run on it. */
export async function fillHospital(
  { db, timeZone }: Pick<Database, 'db' | 'timeZone'>,
  dataDir: string,
): Promise<void> {
  const store = await openFolder(join(dataDir, 'pictures'));
  const { owner } = await seedDemo(db, store, calendarOf(readConfig({}), timeZone(), new Date()));
  if (owner !== 'demo') throw new Error('there is other data in the database; the fuzz needs one of its own');
}

/** Makes the key of a service have expired, which nobody may ask for. */
export const expireKey = (db: Db, key: number) =>
  db
    .update(serviceKeys)
    .set({ expiresAt: new Date(0) })
    .where(eq(serviceKeys.id, key));

export interface Hospital {
  readonly url: string;
  readonly database: Database;
  /** A connection for a look at what is stored. */
  readonly sql: postgres.Sql;
  close(): Promise<void>;
}

/** Opens the database that DATABASE_URL names, or an embedded one in the folder, and fills it. */
export async function openHospital(folder: string, dataDir: string): Promise<Hospital> {
  const named = process.env['DATABASE_URL'] || undefined;
  const embedded = named === undefined ? await openEmbedded({ dataDir: folder }) : undefined;
  const url = named ?? embedded?.url ?? '';
  const database = await openDatabase({ url, dataDir: folder, pool: 2 });
  const sql = connect(url, { max: 1 });
  const close = async (): Promise<void> => {
    await sql.end({ timeout: 5 });
    await database.close();
    await embedded?.stop();
  };
  try {
    await database.migrated;
    await fillHospital(database, dataDir);
    return { url, database, sql, close };
  } catch (error) {
    await close();
    throw error;
  }
}
