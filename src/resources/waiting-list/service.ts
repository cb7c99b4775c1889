import { and, eq, isNull, sql, type SQL } from 'drizzle-orm';
import { column, jsonArray, jsonObject, JsonText, timestampText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { one, oneOrNone } from '../../../db/rows.js';
import {
  availableTimes,
  doctors,
  holds,
  patients,
  specialisations,
  waitingEntries,
  waitingEntryTimes,
} from '../../../db/tables/index.js';
import type { ListWaitingEntriesQuery } from '../../../openapi/generated/operations.js';
import type {
  WaitingEntry,
  WaitingEntryInput,
  WaitingEntryPage,
  WaitingOffer,
} from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { horizon, moment, today, type Calendar } from '../../scheduling/calendar.js';
import { instantsOfSlot } from '../../scheduling/instants.js';
import { lockDoctor } from '../../scheduling/locks.js';
import { offerFreed } from '../../scheduling/offers.js';
import { isShownTo } from '../../lib/doctors.js';
import { explain, InvalidInput, NotFound } from '../../lib/errors.js';
import { isKeptBy } from '../../lib/keepers.js';
import { pagesOf } from '../../lib/lists.js';
import { nameOfDoctor, nameOfPatient } from '../../lib/names.js';
import { itemOf, type PageQuery } from '../../lib/pages.js';
import { nothingElse } from '../../lib/patches.js';
import { inTransaction, userIdOf, type UserVisit, type Within } from '../../lib/visit.js';
import { lockNamedPatient } from '../appointments/booking.js';

const MAX_ENTRIES = 10;

class WaitsAlready extends ProblemError {
  constructor(detail: string) {
    super('waits-already', detail);
  }
}

const heldNow = sql`${sql.placeholder('now')}::timestamptz`;

/** The offer of an entry that has not ended at a moment. */
const isOfferOf = (entryId: unknown, now: SQL): SQL =>
  sql`${holds.waitingEntryId} = ${entryId} and ${holds.expiresAt} > ${now}`;

const offerJson = jsonObject<NonNullable<WaitingOffer>>({
  doctor: column(holds.doctorId),
  doctor_name: nameOfDoctor(holds.doctorId),
  date: column(holds.date),
  time: column(holds.availableTimeId),
  label: column(availableTimes.label),
  ...instantsOfSlot(sql`${holds.date}`, availableTimes, sql.placeholder('zone')),
  expires_at: timestampText(holds.expiresAt),
});

const entryJson = jsonObject<WaitingEntry>({
  id: column(waitingEntries.id),
  patient: column(waitingEntries.patientId),
  patient_name: nameOfPatient(waitingEntries.patientId),
  doctor: column(waitingEntries.doctorId),
  doctor_name: nameOfDoctor(waitingEntries.doctorId),
  specialisation: column(waitingEntries.specialisationId),
  specialisation_name: sql<string | null>`(select ${specialisations.name} from ${specialisations}
    where ${specialisations.id} = ${waitingEntries.specialisationId})`,
  from: column(waitingEntries.startsOn),
  to: column(waitingEntries.endsOn),
  times: jsonArray<number>(sql`select ${waitingEntryTimes.availableTimeId} from ${waitingEntryTimes}
    where ${waitingEntryTimes.entryId} = ${waitingEntries.id} order by 1`),
  created_at: timestampText(waitingEntries.createdAt),
  offer: sql<WaitingOffer>`(select ${offerJson} from ${holds}
    join ${availableTimes} on ${availableTimes.id} = ${holds.availableTimeId}
    where ${isOfferOf(waitingEntries.id, heldNow)})`,
});

/** What of the calendar an entry is shown by. */
const shownAt = ({ now, zone }: Calendar) => ({ now: now.toISOString(), zone });

/** Those who decide for the patient see an entry, and staff. */
const isSeenBy = (userId: SQL): SQL =>
  sql`${waitingEntries.patientId} in (select ${patients.id} from ${patients}
    where ${and(isKeptBy(userId), isNull(patients.archivedAt))})`;

/** What is asked for, and by whom, unless that is staff. */
type ListAsked = Omit<ListWaitingEntriesQuery, keyof PageQuery> & { readonly seer: number | undefined };

const entryPages = pagesOf<ListAsked, WaitingEntry>({
  table: waitingEntries,
  filters: {
    patient: (id) => eq(waitingEntries.patientId, id),
    doctor: (id) => eq(waitingEntries.doctorId, id),
    specialisation: (id) => eq(waitingEntries.specialisationId, id),
    offered: (isOffered) =>
      sql`exists (select from ${holds} where ${isOfferOf(waitingEntries.id, heldNow)}) = ${isOffered}`,
    seer: isSeenBy,
  },
  rows: (db) => db.select(itemOf(entryJson)).from(waitingEntries).$dynamic(),
});

export const listWaitingEntries = (
  visit: UserVisit,
  { query }: Input<'listWaitingEntries'>,
): Promise<JsonText<WaitingEntryPage>> =>
  entryPages(visit, { ...query, seer: visit.caller.isStaff ? undefined : visit.caller.id }, shownAt(visit.calendar));

const entryById = directByKey((db, isStaff: boolean) =>
  db
    .select(itemOf(entryJson))
    .from(waitingEntries)
    .where(
      and(
        eq(waitingEntries.id, sql.placeholder('id')),
        isStaff ? undefined : isSeenBy(sql`${sql.placeholder('seer')}`),
      ),
    ),
);

/** @throws NotFound also where the caller may not see it */
export async function getWaitingEntry(
  { db, caller, calendar }: UserVisit,
  { params: { id } }: Pick<Input<'getWaitingEntry'>, 'params'>,
): Promise<JsonText<WaitingEntry>> {
  const row = oneOrNone(await entryById(db, caller.isStaff)({ ...shownAt(calendar), id, seer: userIdOf(caller) }));
  if (row === undefined) throw new NotFound();
  return new JsonText(row.item);
}

/** What is waited for, as it was asked for. */
type Asked = { readonly [Name in Exclude<keyof WaitingEntryInput, 'patient'>]: WaitingEntryInput[Name] | undefined };

/**
 * From when to when somebody waits.
 * @throws InvalidInput naming all faults at once
 */
async function readDays(
  { db, caller, calendar }: Within<UserVisit>,
  asked: Asked,
): Promise<{ startsOn: string; endsOn: string }> {
  const { doctor, specialisation, from = null, to = null, times = [] } = asked;
  const row = one(
    await db.execute<{
      startsOn: string;
      endsOn: string;
      isEmpty: boolean;
      isPast: boolean;
      isFar: boolean;
      hasDoctor: boolean;
      hasSpecialisation: boolean;
      unknown: number[];
    }>(sql`
      with days as (select coalesce(${from}::date, ${today(calendar)}) as first, coalesce(${to}::date, ${horizon(calendar)}) as last)
      select first::text as "startsOn", last::text as "endsOn", last < first as "isEmpty",
        last < ${today(calendar)} as "isPast", last > ${horizon(calendar)} as "isFar",
        exists (select from ${doctors} where ${doctors.id} = ${doctor ?? 0} and ${isShownTo(caller)}) as "hasDoctor",
        exists (select from ${specialisations} where ${specialisations.id} = ${specialisation ?? 0}) as "hasSpecialisation",
        ${jsonArray(sql`select id from json_array_elements_text(${JSON.stringify(times)}::json) as given (id)
          where not exists (select from ${availableTimes} where ${availableTimes.id} = given.id::bigint) order by id::bigint`)} as unknown
      from days`),
  );
  const errors: Record<string, string[]> = {};
  if (doctor === undefined && specialisation === undefined)
    errors['doctor'] = ['is required, or else a specialisation'];
  if (doctor !== undefined && specialisation !== undefined)
    errors['specialisation'] = ['must not be sent with a doctor'];
  if (doctor !== undefined && !row.hasDoctor) errors['doctor'] = ['does not exist'];
  if (specialisation !== undefined && !row.hasSpecialisation) errors['specialisation'] ??= ['does not exist'];
  if (row.unknown.length > 0) errors['times'] = [`has unknown ids: ${row.unknown.slice(0, 10).join(', ')}`];
  if (row.isPast) errors['to'] = ['must not be in the past'];
  else if (row.isEmpty)
    errors[to === null ? 'from' : 'to'] =
      to === null ? [`must be at most ${calendar.horizonDays} days ahead`] : ['must not be before from'];
  else if (row.isFar) errors['to'] = [`must be at most ${calendar.horizonDays} days ahead`];
  if (Object.keys(errors).length > 0) throw new InvalidInput(errors);
  return row;
}

/**
 * Puts a patient on the list: the caller, or whom the caller manages, or for staff any.
 * @throws NoPatientRecord, NotAllowed, InvalidInput, WaitsAlready
 */
export function createWaitingEntry(
  visit: UserVisit,
  { body }: Input<'createWaitingEntry'>,
): Promise<JsonText<WaitingEntry>> {
  const { doctor, specialisation, from, to, times: given = [], patient: named, ...rest } = body;
  nothingElse(rest);
  const times = [...new Set(given)];
  const addition = inTransaction(visit, async (visit) => {
    const { db } = visit;
    const patient = await lockNamedPatient(visit, named);
    if (patient === undefined) throw new InvalidInput({ patient: ['does not exist'] });
    const { startsOn, endsOn } = await readDays(visit, { doctor, specialisation, from, to, times });
    const entries = await db
      .select({
        id: waitingEntries.id,
        doctor: waitingEntries.doctorId,
        specialisation: waitingEntries.specialisationId,
      })
      .from(waitingEntries)
      .where(eq(waitingEntries.patientId, patient.id));
    const same = entries.find((entry) =>
      doctor === undefined ? entry.specialisation === specialisation : entry.doctor === doctor,
    );
    if (same !== undefined) throw new WaitsAlready(`The patient waits for this already: /waiting-list/${same.id}/`);
    if (entries.length >= MAX_ENTRIES) throw new WaitsAlready(`A patient waits for ${MAX_ENTRIES} things at the most.`);
    const { id } = one(
      await db
        .insert(waitingEntries)
        .values({ patientId: patient.id, doctorId: doctor, specialisationId: specialisation, startsOn, endsOn })
        .returning({ id: waitingEntries.id }),
    );
    if (times.length > 0) {
      await db.insert(waitingEntryTimes).values(times.map((availableTimeId) => ({ entryId: id, availableTimeId })));
    }
    return getWaitingEntry(visit, { params: { id } });
  });
  // What was there when it was looked for may be deleted meanwhile.
  return explain(addition, {
    waiting_entries_specialisation_id_specialisations_id_fk: () =>
      new InvalidInput({ specialisation: ['does not exist'] }),
    waiting_entry_times_available_time_id_available_times_id_fk: () =>
      new InvalidInput({ times: ['has unknown ids: one was deleted just now'] }),
  });
}

/**
 * Locks the doctor whose time is offered, so that what becomes of the offer and who gets it next is one.
 * @returns the doctor's id; undefined where nothing is offered
 */
async function lockOffered(visit: Within<UserVisit>, id: number): Promise<number | undefined> {
  await getWaitingEntry(visit, { params: { id } });
  const offer = oneOrNone(
    await visit.db
      .select({ doctorId: holds.doctorId })
      .from(holds)
      .where(isOfferOf(id, moment(visit.calendar))),
  );
  if (offer !== undefined) await lockDoctor(visit, offer.doctorId);
  return offer?.doctorId;
}

export async function deleteWaitingEntry(
  visit: UserVisit,
  { params: { id } }: Input<'deleteWaitingEntry'>,
): Promise<void> {
  await inTransaction(visit, async (visit) => {
    const doctorId = await lockOffered(visit, id);
    const rows = await visit.db
      .delete(waitingEntries)
      .where(eq(waitingEntries.id, id))
      .returning({ id: waitingEntries.id });
    if (rows.length === 0) throw new NotFound();
    if (doctorId !== undefined) await offerFreed(visit, doctorId);
  });
}

/** @throws NotFound also where nothing is offered any more */
export async function declineOffer(visit: UserVisit, { params: { id } }: Input<'declineOffer'>): Promise<void> {
  await inTransaction(visit, async (visit) => {
    const doctorId = await lockOffered(visit, id);
    const rows = await visit.db
      .delete(holds)
      .where(isOfferOf(id, moment(visit.calendar)))
      .returning({ id: holds.id });
    if (doctorId === undefined || rows.length === 0) throw new NotFound();
    await offerFreed(visit, doctorId);
  });
}
