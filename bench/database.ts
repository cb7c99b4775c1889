/** The database that is measured. */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type postgres from 'postgres';
import { connect } from '../db/connect.js';
import { openEmbedded } from '../db/embedded/index.js';
import { migrateDatabase } from '../db/migrate.js';
import { checkShape, findData, makeData, type Shape } from './data.js';

export interface BenchDatabase {
  readonly url: string;
  /** A connection of its own. */
  readonly sql: postgres.Sql;
  close(): Promise<void>;
}

type Log = (line: string) => void;

/**
 * Opens an embedded database in a folder of its own below `into`, or the one that DATABASE_URL names, and makes the data
 * where it is not there, or not of today: its calendar begins with the day on which it was made.
 * @throws Error where there is other data in it
 */
export async function openDatabase(into: string | undefined, shape: Shape, log: Log): Promise<BenchDatabase> {
  checkShape(shape);
  if (into === undefined) return fill(process.env['DATABASE_URL'] ?? '', shape, log);
  const folder = join(into, String(shape.appointments));
  await mkdir(folder, { recursive: true });
  // The embedded database may run as another user.
  await chmod(into, 0o755);
  await chmod(folder, 0o755);
  const embedded = await openEmbedded({ dataDir: folder, log });
  try {
    const database = await fill(embedded.url, shape, log);
    return {
      ...database,
      close: async () => {
        await database.close();
        await embedded.stop();
      },
    };
  } catch (error) {
    await embedded.stop();
    throw error;
  }
}

async function fill(url: string, shape: Shape, log: Log): Promise<BenchDatabase> {
  await migrateDatabase(url);
  const sql = connect(url, { max: 1, connection: { application_name: 'hospital-bench' } });
  try {
    const found = await findData(sql);
    if (found === 'other') throw new Error('there is other data in the database; the bench needs one of its own');
    const { doctors, appointments } = shape;
    const isKept =
      found !== 'nothing' &&
      found.isOfToday &&
      found.shape.doctors === doctors &&
      found.shape.appointments === appointments;
    if (isKept) log(`the data is there: ${appointments} appointments, ${doctors} doctors`);
    else await makeData(sql, shape, log);
    return { url, sql, close: () => sql.end({ timeout: 5 }) };
  } catch (error) {
    await sql.end({ timeout: 5 });
    throw error;
  }
}
