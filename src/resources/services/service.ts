import { asc, eq, sql, type SQL } from 'drizzle-orm';
import { transaction, type Db, type Tx } from '../../../db/client.js';
import { column, jsonObject, JsonText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { services } from '../../../db/tables/index.js';
import type {
  Service,
  ServiceCreate,
  ServiceInput,
  ServiceList,
  ServicePatch,
} from '../../../openapi/generated/schemas.js';
import { NotFound } from '../../lib/errors.js';
import { selectList } from '../../lib/lists.js';
import type { Link } from '../../lib/pages.js';
import { checkIfMatch } from '../../lib/preconditions.js';

/** The most services that the list gives. */
const MAX_SERVICES = 10_000;

/** @param base of the image's URL */
function serviceJson(base: SQL<string>): SQL<Service> {
  return jsonObject<Service>({
    id: column(services.id),
    image: sql<string | null>`${base}::text || '/pictures/' || ${services.picture}`,
    name: column(services.name),
    description: column(services.description),
  });
}

const serviceText = (base: SQL<string>) => ({ service: sql<string>`${serviceJson(base)}::text`.as('service') });

/** @throws NotFound where there is no row */
function one([row]: { service: string }[]): JsonText<Service> {
  if (row === undefined) throw new NotFound();
  return new JsonText(row.service);
}

const serviceById = directByKey((db) =>
  db
    .select(serviceText(sql`${sql.placeholder('base')}`))
    .from(services)
    .where(eq(services.id, sql.placeholder('id'))),
);

export async function getService(db: Db | Tx, id: number, { base }: Link): Promise<JsonText<Service>> {
  return one(await serviceById(db)({ id, base }));
}

export function listServices(db: Db, { base }: Link): Promise<JsonText<ServiceList>> {
  return selectList(db, serviceJson(sql`${base}`), (columns) =>
    db.select(columns).from(services).orderBy(asc(services.id)).limit(MAX_SERVICES).$dynamic(),
  );
}

export async function createService(db: Db | Tx, input: ServiceCreate, { base }: Link): Promise<JsonText<Service>> {
  const { image: picture, name, description } = input;
  return one(
    await db
      .insert(services)
      .values({ picture, name, description })
      .returning(serviceText(sql`${base}`)),
  );
}

/** Locks a service and holds it against the request's If-Match. */
async function lockService(tx: Tx, id: number, link: Link, ifMatch: string | undefined): Promise<void> {
  const rows = await tx.select({ id: services.id }).from(services).where(eq(services.id, id)).for('update');
  if (rows.length === 0) throw new NotFound();
  await checkIfMatch(ifMatch, () => getService(tx, id, link));
}

/** Changes what is given. */
export function updateService(
  db: Db,
  id: number,
  input: ServicePatch,
  link: Link,
  ifMatch?: string,
): Promise<JsonText<Service>> {
  return transaction(db, async (tx) => {
    await lockService(tx, id, link, ifMatch);
    return one(
      await tx
        .update(services)
        .set({
          updatedAt: new Date(),
          ...(input.image !== undefined && { picture: input.image }),
          ...(input.name !== undefined && { name: input.name }),
          ...(input.description !== undefined && { description: input.description }),
        })
        .where(eq(services.id, id))
        .returning(serviceText(sql`${link.base}`)),
    );
  });
}

/** Replaces the service, but for an image that is left out. */
export function replaceService(
  db: Db,
  id: number,
  input: ServiceInput,
  link: Link,
  ifMatch?: string,
): Promise<JsonText<Service>> {
  return updateService(db, id, input, link, ifMatch);
}

export async function deleteService(db: Db, id: number, link: Link, ifMatch?: string): Promise<void> {
  await transaction(db, async (tx) => {
    await lockService(tx, id, link, ifMatch);
    await tx.delete(services).where(eq(services.id, id));
  });
}
