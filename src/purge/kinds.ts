/** What is past its time, and how it is removed. */
import { and, isNotNull, lt, or, sql, type SQL } from 'drizzle-orm';
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

/** Rows that go together have one key; keys are gone through from the lowest. */
interface Kind {
  readonly name: string;
  readonly key: PgColumn;
  readonly where: SQL;
}

export interface Retention {
  /** How long clinical facts are kept, and what was deleted. */
  readonly years: number;
  readonly now: Date;
}

/**
 * Each kind, those first that others wait for: what a kind leaves out as something refers to it is what is left when those
 * before it are gone, so that it can be told beforehand.
 */
export function kindsOf({ years, now }: Retention): readonly Kind[] {
  const present = sql`${now.toISOString()}::timestamptz`;
  const longAgo = sql`(${present} - make_interval(years => ${years}::int))`;
  const isArchivedOrErased = sql`exists (select from ${patients}
    where ${patients.id} = ${appointments.patientId} and ${patients.archivedAt} is not null)`;
  const oldAppointment = and(
    sql`${appointments.date} < (${longAgo} at time zone 'UTC')::date`,
    or(isNotNull(appointments.archivedAt), isArchivedOrErased),
  ) as SQL;
  const oldDoctor = sql`exists (select from ${doctors}
    where ${doctors.id} = ${reviews.doctorId} and ${doctors.archivedAt} < ${longAgo})`;
  const hasNone = (table: PgTable, of: SQL, unless: SQL): SQL =>
    sql`not exists (select from ${table} where ${of} and not coalesce(${unless}, false))`;
  const isOver = (moment: PgColumn): SQL => lt(moment, present);
  return [
    { name: 'appointments of deleted and erased patients', key: appointments.id, where: oldAppointment },
    {
      name: 'series without appointments',
      key: appointmentSeries.id,
      where: hasNone(appointments, sql`${appointments.seriesId} = ${appointmentSeries.id}`, oldAppointment),
    },
    { name: 'reviews of deleted doctors', key: reviews.id, where: oldDoctor },
    {
      name: 'deleted and erased doctors',
      key: doctors.id,
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
      key: patients.id,
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
    { name: 'sessions that have ended', key: sessions.id, where: isOver(sessions.expiresAt) },
    {
      name: 'invitations that have ended',
      key: patientInvitations.patientId,
      where: isOver(patientInvitations.expiresAt),
    },
    {
      name: 'codes for new passwords that have ended',
      key: passwordResets.userId,
      where: isOver(passwordResets.expiresAt),
    },
    { name: 'holds that have ended', key: holds.id, where: isOver(holds.expiresAt) },
    {
      name: 'answers stored for more than a day',
      key: idempotencyKeys.userId,
      where: sql`${idempotencyKeys.createdAt} < ${present} - interval '24 hours'`,
    },
  ];
}

/** Nobody waits for these statements as for an answer. */
const takeTime = (tx: Tx) => tx.execute(sql`set local statement_timeout = 0`);

/** How many rows are past their time. */
export const countKind = (db: Db, { key, where }: Kind): Promise<number> =>
  transaction(db, async (tx) => {
    await takeTime(tx);
    const counted = sql`select count(*)::float8 as total from ${key.table} where ${where}`;
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
  { key, where }: Kind,
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
          with due as (select ${key} as key from ${key.table} where ${key} > ${from} and ${where}
              group by ${key} order by ${key} limit ${batch}),
            gone as (delete from ${key.table} where ${key} in (select key from due) and ${where} returning 1)
          select (select count(*) from gone)::float8 as removed, (select max(key) from due)::float8 as "upTo"`),
      );
    });
    total += removed;
    last = upTo;
    if (removed > 0) tell(total);
  }
  return total;
}
