/** The wire's spellings, which clients in the field depend on, and the database's. */
import { inArray, sql, type SQL } from 'drizzle-orm';
import { appointmentChanges, appointments, availableTimes } from '../../../db/tables/index.js';
import { InvalidInput } from '../../lib/errors.js';
import { nameOfDoctor, nameOfPatient } from '../../lib/names.js';
import type {
  AppointmentChange,
  AppointmentStatus,
  AppointmentType,
  CancelReason,
} from '../../../openapi/generated/schemas.js';

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

type Field = (typeof appointmentChanges.$inferSelect)['field'];

/** What the history has had from the beginning: clients in the field know no other. */
const FIRST_FIELDS: Readonly<Record<AppointmentChange['field'], Field>> = {
  doctor: 'doctor',
  date: 'date',
  time: 'time',
  appointment_status: 'status',
  cancel: 'cancelled',
};

const FIELDS = {
  ...FIRST_FIELDS,
  created: 'created',
  patient: 'patient',
  appointment_type: 'type',
  symptoms: 'symptoms',
  cancel_reason: 'cancel_reason',
  attendance: 'attendance',
  is_overbooked: 'overbooked',
  archived: 'archived',
} as const satisfies Readonly<Record<string, Field>>;

/** An expression of the database's words in those of the wire. */
function translated<Wire extends string>(value: SQL, words: Readonly<Record<Wire, string>>): SQL<Wire> {
  const cases = Object.entries<string>(words).map(
    ([wire, stored]) => sql`when ${sql.raw(`'${stored}'`)} then ${sql.raw(`'${wire}'`)}`,
  );
  return sql<Wire>`case ${value}::text ${sql.join(cases, sql` `)} end`;
}

export const statusText = translated(sql`${appointments.status}`, STATUS);
export const typeText = translated(sql`${appointments.type}`, TYPE);
export const fieldText = translated(sql`${appointmentChanges.field}`, FIELDS);
export const firstFieldText = translated(sql`${appointmentChanges.field}`, FIRST_FIELDS);
export const isFirstField = inArray(appointmentChanges.field, Object.values(FIRST_FIELDS));

/** A value of a change: a status and a type have spellings of their own. */
export const changeText = (value: SQL): SQL<string> => sql<string>`case ${appointmentChanges.field}
  when 'status' then ${translated(value, STATUS)} when 'type' then ${translated(value, TYPE)} else ${value} end`;

/** For people what a value of a change is the id of. */
export const changeLabel = (value: SQL): SQL<string | null> => sql<string | null>`case ${appointmentChanges.field}
  when 'time' then (select ${availableTimes.label} from ${availableTimes} where ${availableTimes.id} = ${value}::bigint)
  when 'doctor' then ${nameOfDoctor(sql`${value}::bigint`)}
  when 'patient' then ${nameOfPatient(sql`${value}::bigint`)} end`;

/** Whether the attendance is that of a word; `none` where nobody has noted it. */
export const hasAttendance = (word: SQL): SQL => sql`coalesce(${appointments.attendance}::text, 'none') = ${word}`;

export const reasonJson = sql<CancelReason>`case when ${appointments.cancelCode} is not null then
  json_build_object('code', ${appointments.cancelCode}, 'text', ${appointments.cancelText}) end`;
