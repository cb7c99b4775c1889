/** What has happened between the demo's patients and doctors: appointments and what was said of them. */
import { sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.js';
import { one } from '../../db/rows.js';
import { appointmentChanges, appointments, appointmentSeries, availableTimes, reviews } from '../../db/tables/index.js';
import type { Calendar } from '../scheduling/calendar.js';
import { cancelledFor } from '../scheduling/cancellation.js';
import { periodOf } from '../scheduling/slots.js';
import { planVisits, type Clinic, type Visit } from './plan.js';
import { chanceOf, shuffled } from './random.js';
import { REVIEWS } from './texts.js';

const HOUR = 3_600_000;

/** Those whose time the clocks do not skip. */
async function possible(tx: Tx, visits: readonly Visit[], { zone }: Calendar): Promise<Visit[]> {
  const asked = JSON.stringify(visits.map(({ date, slot: { start } }, index) => ({ index, date, start })));
  const rows = await tx.execute<{ index: number }>(sql`
    select index from json_to_recordset(${asked}::json) as asked (index int, date date, start int)
    where start is null or slot_start(date, start, ${zone}::text) is not null order by index`);
  return rows.map(({ index }) => visits[index] as Visit);
}

async function addAppointments(tx: Tx, visits: readonly Visit[], calendar: Calendar): Promise<void> {
  const slots = new Map((await tx.select().from(availableTimes)).map((slot) => [slot.id, slot]));
  const { id: seriesId } = one(await tx.insert(appointmentSeries).values({}).returning({ id: appointmentSeries.id }));
  const rows = await tx
    .insert(appointments)
    .values(
      visits.map(({ patient, doctor, slot, date, changes, isOfSeries, ...visit }) => ({
        ...{ patientId: patient.id, doctorId: doctor.id, availableTimeId: slot.id, date },
        period: periodOf(sql`${date}::date`, slots.get(slot.id) as typeof availableTimes.$inferSelect, calendar),
        ...{ type: visit.type, status: visit.status, symptoms: visit.symptoms, attendance: visit.attendance },
        seriesId: isOfSeries ? seriesId : null,
        ...(visit.cancelCode !== null && cancelledFor({ code: visit.cancelCode, text: '' })),
        ...{ createdAt: visit.createdAt, updatedAt: changes.at(-1)?.at ?? visit.createdAt },
      })),
    )
    .returning({ id: appointments.id });
  await tx.insert(appointmentChanges).values(
    visits.flatMap(({ changes }, index) =>
      changes.map(({ at, by, ...change }) => ({
        ...{ appointmentId: (rows[index] as { id: number }).id, changedAt: at, changedBy: by },
        ...change,
      })),
    ),
  );
}

/** Which share of the reviews has so many stars or more. */
const STARS = [
  [5, 0.4],
  [4, 0.7],
  [3, 0.85],
  [2, 0.95],
  [1, 1],
] as const;

/** Of those who were with a doctor two of three have said how it was, once each; the patient's account first. */
async function addReviews(tx: Tx, visits: readonly Visit[], { now }: Calendar, seed: number): Promise<void> {
  const chance = chanceOf(seed + 1);
  const decks = new Map(Object.entries(REVIEWS).map(([stars, texts]) => [Number(stars), shuffled(chance, texts)]));
  const said = new Set<string>();
  const [account] = visits.map(({ patient }) => patient);
  // Before the clock has any say in what is written.
  const isAccounts = ({ patient }: Visit): number => (patient === account ? 0 : 1);
  const done = visits.filter(({ status }) => status === 'completed').sort((a, b) => isAccounts(a) - isAccounts(b));
  const values = done.flatMap(({ patient, doctor, endsAt }) => {
    const key = `${patient.id} ${doctor.id}`;
    const lot = chance();
    const rating = patient === account ? 5 : (STARS.find(([, share]) => lot < share) as (typeof STARS)[number])[0];
    const wait = (0.5 + chance() * 60) * HOUR;
    if (said.has(key) || (patient !== account && chance() > 0.65) || endsAt.getTime() + wait > now.getTime()) return [];
    const body = decks.get(rating)?.pop();
    if (body === undefined) return [];
    said.add(key);
    const written = new Date(endsAt.getTime() + wait);
    const createdOn = written.toISOString().slice(0, 10);
    return {
      patientId: patient.id,
      doctorId: doctor.id,
      rating,
      body,
      createdOn,
      createdAt: written,
      updatedAt: written,
    };
  });
  const isFirst = ({ patientId }: { patientId: number }): number => (patientId === account?.id ? 0 : 1);
  values.sort((a, b) => isFirst(a) - isFirst(b) || a.createdAt.getTime() - b.createdAt.getTime());
  await tx.insert(reviews).values(values);
}

/** Adds appointments, past, present and to come, with their history, and reviews. */
export async function addVisits(tx: Tx, clinic: Clinic, calendar: Calendar, seed: number): Promise<void> {
  const visits = await possible(tx, planVisits(clinic, calendar, seed), calendar);
  await addAppointments(tx, visits, calendar);
  await addReviews(tx, visits, calendar, seed);
}
