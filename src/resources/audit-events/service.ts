import { and, eq, gte, lt, ne, sql, type SQL } from 'drizzle-orm';
import { column, jsonObject, JsonText, timestampText } from '../../../db/json.js';
import {
  appointments,
  auditEvents,
  doctors,
  patients,
  profiles,
  serviceKeys,
  users,
} from '../../../db/tables/index.js';
import type { Access, AccessPage, AuditEvent, AuditEventPage } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { InvalidInput } from '../../lib/errors.js';
import { isKeptBy } from '../../lib/keepers.js';
import { filtered } from '../../lib/lists.js';
import { pageLink } from '../../lib/pages.js';
import { positionText, readPosition, type Key } from '../../lib/positions.js';
import type { PersonVisit, UserVisit } from '../../lib/visit.js';

/** As the contract limits the link to another page. */
const MAX_LINK = 4000;

const ORDER = '-at';
const KEYS: readonly Key[] = [
  { of: auditEvents.at, type: 'timestamp', isDescending: true },
  { of: auditEvents.id, type: 'bigint', isDescending: true },
];

/** The ids of the records of some patients, of each kind. */
const recordsOf = (which: SQL) =>
  ({
    patients: sql`(select ${patients.id} from ${patients} where ${which})`,
    profiles: sql`(select ${profiles.id} from ${profiles} join ${patients} on ${patients.userId} = ${profiles.userId}
      where ${which})`,
    appointments: sql`(select ${appointments.id} from ${appointments}
      join ${patients} on ${patients.id} = ${appointments.patientId} where ${which})`,
  }) as const;

const holds = (resource: string, ids: SQL): SQL =>
  sql`(${auditEvents.resource} = ${resource} and ${auditEvents.recordIds} && array${ids})`;

/** Events about some patients: their records, and all that is theirs. */
const about = (which: SQL): SQL =>
  sql`(${sql.join(
    Object.entries(recordsOf(which)).map(([resource, ids]) => holds(resource, ids)),
    sql` or `,
  )})`;

/** In the text of a query, by which PostgreSQL knows which part of an index it needs; as it would not of a parameter. */
function word(text: string): SQL {
  if (!/^[a-z-]+$/.test(text)) throw new Error('no word');
  return sql.raw(`'${text}'`);
}

/** The events of the records that are looked for: what has few events is found before all else is judged. */
export const among = (found: SQL): SQL => sql`(select * from ${auditEvents} where ${found} offset 0) as ${auditEvents}`;

interface Asked {
  readonly limits: number;
  readonly after?: string | undefined;
}

/**
 * A page of events, the newest first. They are too many to be counted.
 * @param found holds of the records that are looked for: what has few events is found before all else is judged, or each
 * event might be held against it, the newest first
 */
async function pageOf<T>(
  { costly, link }: UserVisit,
  { limits, after }: Asked,
  { item, where, found }: { item: SQL; where: SQL | undefined; found: SQL | undefined },
): Promise<JsonText<T>> {
  const [at, id] = after === undefined ? [] : readPosition(after, ORDER, KEYS);
  const from =
    at === undefined || id === undefined
      ? undefined
      : sql`(${auditEvents.at}, ${auditEvents.id}) < (${at}::timestamp at time zone 'UTC', ${id}::bigint)`;
  const source = found ? among(found) : auditEvents;
  const rows = await costly((db) =>
    db.execute<{ item: string; position: string }>(sql`
      select ${item}::text as item, json_build_array(
        to_char(${auditEvents.at} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), ${auditEvents.id}::text)::text as position
      from ${source} where ${and(where, from) ?? sql`true`}
      order by ${auditEvents.at} desc, ${auditEvents.id} desc limit ${limits + 1}`),
  );
  const shown = rows.slice(0, limits);
  const last = rows.length > limits ? shown.at(-1)?.position : undefined;
  const next = last === undefined ? null : pageLink(link, undefined, positionText(ORDER, last));
  if (next !== null && next.length > MAX_LINK) throw new InvalidInput({ query: ['is too long'] });
  return new JsonText(`{"next":${JSON.stringify(next)},"results":[${shown.map(({ item }) => item).join(',')}]}`);
}

const eventJson = jsonObject<AuditEvent>({
  id: column(auditEvents.id),
  at: timestampText(auditEvents.at),
  actor: column(auditEvents.actor),
  actor_id: column(auditEvents.actorId),
  operation: column(auditEvents.operation),
  action: column(auditEvents.action),
  resource: column(auditEvents.resource),
  records: column(auditEvents.recordIds),
  address: column(auditEvents.address),
  request_id: column(auditEvents.requestId),
  outcome: column(auditEvents.outcome),
  status: column(auditEvents.status),
  total: column(auditEvents.total),
});

/** What a user did; a service has a number too. */
export const isBy = (userId: number | SQL): SQL =>
  and(eq(auditEvents.actorId, userId), ne(auditEvents.actor, 'service')) as SQL;

export function listAuditEvents(
  visit: UserVisit,
  { query: { limits, after, patient, record, ...query } }: Input<'listAuditEvents'>,
): Promise<JsonText<AuditEventPage>> {
  const where = filtered(query, {
    actor: isBy,
    service: (id) => and(eq(auditEvents.actorId, id), eq(auditEvents.actor, 'service')),
    resource: (name) => eq(auditEvents.resource, word(name)),
    action: (name) => eq(auditEvents.action, word(name)),
    outcome: (name) => eq(auditEvents.outcome, word(name)),
    from: (moment) => gte(auditEvents.at, new Date(moment)),
    to: (moment) => lt(auditEvents.at, new Date(moment)),
  });
  const found = and(
    patient === undefined ? undefined : about(eq(patients.id, patient)),
    record === undefined ? undefined : sql`${auditEvents.recordIds} @> array[${record}::bigint]`,
  );
  return pageOf(visit, { limits, after }, { item: eventJson, where, found });
}

/** Who an actor is to a patient. */
const actorText = sql<Access['actor']>`case
  when ${auditEvents.actor} = 'user' and exists (select from ${doctors} where ${doctors.userId} = ${auditEvents.actorId})
  then 'doctor' else ${auditEvents.actor} end`;

/**
 * What others than a user saw or changed of some patients.
 * @param own on `patients`
 */
export function accessesTo(own: SQL, userId: number | null) {
  const ofResource = Object.entries(recordsOf(own)).map(
    ([resource, ids]) => sql`when ${resource} then array(select id from unnest(${auditEvents.recordIds}) as shown (id)
      where id in ${ids} order by id)`,
  );
  const item = jsonObject<Access>({
    at: timestampText(auditEvents.at),
    action: column(auditEvents.action),
    resource: column(auditEvents.resource),
    records: sql`case ${auditEvents.resource} ${sql.join(ofResource, sql` `)} end`,
    actor: actorText,
    actor_name: sql`case ${auditEvents.actor}
      when 'service' then (select ${serviceKeys.name} from ${serviceKeys} where ${serviceKeys.id} = ${auditEvents.actorId})
      else (select ${users.displayName} from ${users} where ${users.id} = ${auditEvents.actorId}) end`,
  });
  // The answer to a request tells of what it stored.
  const isWhole = sql`(${auditEvents.outcome} = 'answered' or ${auditEvents.outcome} = 'stored' and ${auditEvents.requestId} is null)`;
  const isOthers = sql`(${auditEvents.actorId} is distinct from ${userId}::bigint or ${auditEvents.actor} = 'service')`;
  return { item, where: and(isWhole, isOthers) as SQL, found: about(own) };
}

/** What others saw or changed of the caller's own, and of that of whom the caller manages. */
export function listMyAccesses(visit: PersonVisit, { query }: Input<'listMyAccesses'>): Promise<JsonText<AccessPage>> {
  const { caller } = visit;
  return pageOf(visit, query, accessesTo(isKeptBy(caller.id), caller.id));
}
