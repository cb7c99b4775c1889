import { desc, sql } from 'drizzle-orm';
import { randomUUID } from 'node:crypto';
import type { Db } from '../../db/client.js';
import { oneOrNone } from '../../db/rows.js';
import { picturePlaces } from '../../db/tables/index.js';
import type { PictureStore, StoreAction } from './store.js';

/** Beside the pictures; none has such a name. */
export const PLACE_FILE = 'place-id';

/**
 * Notes in the database where this instance keeps pictures, by an id that lies there: a folder may be one that others
 * have under another path.
 * @returns false where the instance that started before on this database keeps them elsewhere
 */
export async function notePlace(db: Db, store: Pick<PictureStore, StoreAction>): Promise<boolean> {
  return db.transaction(async (tx) => {
    // Of two that start at once, the second waits here for the first, which may have to make the file.
    await tx.execute(sql`lock table ${picturePlaces} in share row exclusive mode`);
    let id = (await store.read(PLACE_FILE))?.toString();
    if (id === undefined) {
      id = randomUUID();
      await store.remove(PLACE_FILE);
      await store.write(PLACE_FILE, Buffer.from(id));
    }
    const known = oneOrNone(
      await tx.select({ id: picturePlaces.id }).from(picturePlaces).orderBy(desc(picturePlaces.notedAt)).limit(1),
    );
    if (known?.id === id) return true;
    await tx.insert(picturePlaces).values({ id, notedAt: sql`clock_timestamp()` });
    return known === undefined;
  });
}
