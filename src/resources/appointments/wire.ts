/** The wire's spellings, which clients in the field depend on, and the database's. */
import { sql, type SQL } from 'drizzle-orm';
import { appointmentChanges, appointments } from '../../../db/tables/index.js';
import { InvalidInput } from '../../lib/errors.js';
import type { AppointmentChange, AppointmentStatus, AppointmentType } from '../../../openapi/generated/schemas.js';

export type Stored = typeof appointments.$inferSelect;

export const STATUS: Readonly<Record<AppointmentStatus, Stored['status']>> = {
  Pendding: 'pending',
  Runing: 'running',
  Complated: 'completed',
};

/**
 * The status that somebody sends who may set it.
 * @throws InvalidInput for what is none
 */
export function readStatus(sent: unknown): Stored['status'] {
  if (typeof sent === 'string' && Object.hasOwn(STATUS, sent)) return STATUS[sent as AppointmentStatus];
  throw new InvalidInput({ appointment_status: [`must be one of: ${Object.keys(STATUS).join(', ')}`] });
}

export const TYPE: Readonly<Record<AppointmentType, Stored['type']>> = { Online: 'online', Offline: 'offline' };

const FIELD: Readonly<Record<AppointmentChange['field'], string>> = {
  doctor: 'doctor',
  date: 'date',
  time: 'time',
  appointment_status: 'status',
  cancel: 'cancelled',
};

/** An expression of the database's words in those of the wire. */
function translated<Wire extends string>(value: SQL, words: Readonly<Record<Wire, string>>): SQL<Wire> {
  const cases = Object.entries<string>(words).map(
    ([wire, stored]) => sql`when ${sql.raw(`'${stored}'`)} then ${sql.raw(`'${wire}'`)}`,
  );
  return sql<Wire>`case ${value}::text ${sql.join(cases, sql` `)} end`;
}

export const statusText = translated(sql`${appointments.status}`, STATUS);
export const typeText = translated(sql`${appointments.type}`, TYPE);
export const fieldText = translated(sql`${appointmentChanges.field}`, FIELD);

/** A value of a change: only a status has a spelling of its own. */
export const changeText = (value: SQL): SQL<string> => sql<string>`coalesce(${translated(value, STATUS)}, ${value})`;
