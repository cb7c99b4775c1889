import { eq, sql } from 'drizzle-orm';
import { column, jsonObject, JsonText, versionTag } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { one, oneOrNone } from '../../../db/rows.js';
import { services } from '../../../db/tables/index.js';
import type { Service, ServiceList } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { NotFound } from '../../lib/errors.js';
import { pagesOfNewest } from '../../lib/lists.js';
import { itemOf } from '../../lib/pages.js';
import { nothingElse } from '../../lib/patches.js';
import { pictureValues, publicPicture } from '../../lib/pictures.js';
import { checkConditions } from '../../lib/preconditions.js';
import { inTransaction, type Visit, type Within } from '../../lib/visit.js';

/** A service as JSON. */
const serviceJson = jsonObject<Service>({
  id: column(services.id),
  image: publicPicture(services.picture),
  name: column(services.name),
  description: column(services.description),
});

const serviceById = directByKey((db) =>
  db
    .select({
      service: sql<string>`${serviceJson}::text`.as('service'),
      tag: versionTag(services.id, services.version).as('tag'),
    })
    .from(services)
    .where(eq(services.id, sql.placeholder('id'))),
);

export async function getService(
  visit: Visit,
  { params: { id } }: Pick<Input<'getService'>, 'params'>,
): Promise<JsonText<Service>> {
  const row = oneOrNone(await serviceById(visit.db)({ id, ...pictureValues(visit) }));
  if (row === undefined) throw new NotFound();
  return new JsonText(row.service, row.tag);
}

const servicePages = pagesOfNewest<object, Service>({
  table: services,
  filters: {},
  rows: (db) => db.select(itemOf(serviceJson)).from(services).$dynamic(),
});

export const listServices = (visit: Visit, { query }: Input<'listServices'>): Promise<JsonText<ServiceList>> =>
  servicePages(visit, query, pictureValues(visit));

export function createService(visit: Visit, { body }: Input<'createService'>): Promise<JsonText<Service>> {
  const { image: picture, name, description, ...rest } = body;
  nothingElse(rest);
  return inTransaction(visit, async (visit) => {
    const { id } = one(
      await visit.db.insert(services).values({ picture, name, description }).returning({ id: services.id }),
    );
    return getService(visit, { params: { id } });
  });
}

/** Locks a service and holds it against the request's conditions. */
async function lockService(visit: Within, id: number): Promise<void> {
  const rows = await visit.db.select({ id: services.id }).from(services).where(eq(services.id, id)).for('update');
  if (rows.length === 0) throw new NotFound();
  checkConditions(visit, (await getService(visit, { params: { id } })).tag);
}

/** Changes what is given; in a replacement an image that is left out stays. */
export function updateService(visit: Visit, { params, body }: Input<'updateService'>): Promise<JsonText<Service>> {
  const { image: picture, name, description, ...rest } = body;
  nothingElse(rest);
  return inTransaction(visit, async (visit) => {
    await lockService(visit, params.id);
    await visit.db
      .update(services)
      .set({ updatedAt: new Date(), picture, name, description })
      .where(eq(services.id, params.id));
    return getService(visit, { params });
  });
}

export async function deleteService(visit: Visit, { params: { id } }: Input<'deleteService'>): Promise<void> {
  await inTransaction(visit, async (visit) => {
    await lockService(visit, id);
    await visit.db.delete(services).where(eq(services.id, id));
  });
}
