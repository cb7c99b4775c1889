/** What is past its time, and how it is removed. */
import { and, isNotNull, lt, or, sql, type SQL, type SQLWrapper } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { transaction, type Db, type Tx } from '../../db/client.js';
import { one } from '../../db/rows.js';
import {
  appointments,
  appointmentSeries,
  doctors,
  erasures,
  holds,
  idempotencyKeys,
  passwordResets,
  patientInvitations,
  patients,
  reviews,
  sessions,
  users,
} from '../../db/tables/index.js';

/** Rows that go together have one key, a positive number; keys are gone through from the lowest. */
interface Kind {
  readonly name: string;
  readonly table: PgTable;
  readonly key: SQLWrapper;
  readonly where: SQL;
}

export interface Retention {
  /** How long clinical facts are kept, and what was deleted. */
  readonly years: number;
  readonly now: Date;
  /** The clinic's, by whose days appointments are. */
  readonly zone: string;
}

/**
 * Each kind, those first that others wait for: what a kind leaves out as something refers to it is what is left when those
 * before it are gone, so that it can be told beforehand.
 */
export function kindsOf({ years, now, zone }: Retention): readonly Kind[] {
  const present = sql`${now.toISOString()}::timestamptz`;
  const retention = sql`make_interval(years => ${years}::int)`;
  const longAgo = sql`(${present} - ${retention})`;
  const isArchivedOrErased = sql`exists (select from ${patients}
    where ${patients.id} = ${appointments.patientId} and ${patients.archivedAt} is not null)`;
  const oldAppointment = and(
    sql`${appointments.date} < ((${present} at time zone ${zone}) - ${retention})::date`,
    or(isNotNull(appointments.archivedAt), isArchivedOrErased),
  ) as SQL;
  const oldDoctor = sql`exists (select from ${doctors}
    where ${doctors.id} = ${reviews.doctorId} and ${doctors.archivedAt} < ${longAgo})`;
  const hasNone = (table: PgTable, of: SQL, unless: SQL): SQL =>
    sql`not exists (select from ${table} where ${of} and not coalesce(${unless}, false))`;
  const isOver = (moment: PgColumn): SQL => lt(moment, present);
  const by = (key: PgColumn) => ({ table: key.table, key });
  return [
    {
      name: 'appointments of deleted and erased patients',
      ...by(appointments.id),
      where: oldAppointment,
    },
    {
      name: 'series without appointments',
      ...by(appointmentSeries.id),
      where: hasNone(appointments, sql`${appointments.seriesId} = ${appointmentSeries.id}`, oldAppointment),
    },
    { name: 'reviews of deleted doctors', ...by(reviews.id), where: oldDoctor },
    {
      name: 'deleted and erased doctors',
      ...by(doctors.id),
      where: and(
        isNotNull(doctors.archivedAt),
        or(
          sql`${doctors.archivedAt} < ${longAgo}`,
          sql`exists (select from ${users} where ${users.id} = ${doctors.userId} and ${users.erasedAt} is not null)`,
        ),
        hasNone(appointments, sql`${appointments.doctorId} = ${doctors.id}`, oldAppointment),
        hasNone(reviews, sql`${reviews.doctorId} = ${doctors.id}`, oldDoctor),
      ) as SQL,
    },
    {
      name: 'deleted and erased patients',
      ...by(patients.id),
      where: and(
        isNotNull(patients.archivedAt),
        or(
          sql`${patients.archivedAt} < ${longAgo}`,
          sql`exists (select from ${erasures} where ${erasures.patientId} = ${patients.id})`,
        ),
        hasNone(appointments, sql`${appointments.patientId} = ${patients.id}`, oldAppointment),
        hasNone(reviews, sql`${reviews.patientId} = ${patients.id}`, oldDoctor),
      ) as SQL,
    },
    { name: 'sessions that have ended', ...by(sessions.id), where: isOver(sessions.expiresAt) },
    {
      name: 'invitations that have ended',
      ...by(patientInvitations.patientId),
      where: isOver(patientInvitations.expiresAt),
    },
    {
      name: 'codes for new passwords that have ended',
      ...by(passwordResets.userId),
      where: isOver(passwordResets.expiresAt),
    },
    { name: 'holds that have ended', ...by(holds.id), where: isOver(holds.expiresAt) },
    {
      name: 'answers stored for more than a day',
      table: idempotencyKeys,
      // Users and services may have the same ids.
      key: sql`coalesce(${idempotencyKeys.userId}, ${idempotencyKeys.serviceKeyId})`,
      where: sql`${idempotencyKeys.createdAt} < ${present} - interval '24 hours'`,
    },
  ];
}

/** Nobody waits for these statements as for an answer. */
const takeTime = (tx: Tx) => tx.execute(sql`set local statement_timeout = 0`);

/** How many rows are past their time. */
export const countKind = (db: Db, { table, where }: Kind): Promise<number> =>
  transaction(db, async (tx) => {
    await takeTime(tx);
    const counted = sql`select count(*)::float8 as total from ${table} where ${where}`;
    return one(await tx.execute<{ total: number }>(counted)).total;
  });

/** What a batch has removed, and up to which key. */
interface Step extends Record<string, unknown> {
  readonly removed: number;
  readonly upTo: number | null;
}

/**
 * Removes them in batches, each a transaction of its own: what has ended in between goes on where it was.
 * @param tell is told how many are gone after each batch
 */
export async function removeKind(
  db: Db,
  { table, key, where }: Kind,
  { batch = 1000, tell = () => undefined }: { batch?: number; tell?: (total: number) => void } = {},
): Promise<number> {
  let total = 0;
  let last: number | null = 0;
  while (last !== null) {
    const from: number = last;
    const { removed, upTo }: Step = await transaction(db, async (tx) => {
      await takeTime(tx);
      return one(
        await tx.execute<Step>(sql`
          with due as (select ${key} as key from ${table} where ${key} > ${from} and ${where}
              group by ${key} order by ${key} limit ${batch}),
            gone as (delete from ${table} where ${key} in (select key from due) and ${where} returning 1)
          select (select count(*) from gone)::float8 as removed, (select max(key) from due)::float8 as "upTo"`),
      );
    });
    total += removed;
    last = upTo;
    if (removed > 0) tell(total);
  }
  return total;
}
