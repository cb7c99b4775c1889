/** What has happened between the demo's patients and doctors: appointments and what was said of them. */
import { eq, sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.js';
import { one } from '../../db/rows.js';
import { appointments, availableTimes, reviews } from '../../db/tables/index.js';
import { signTransaction } from '../lib/history.js';
import type { Calendar } from '../scheduling/calendar.js';
import { periodOf } from '../scheduling/slots.js';
import { REVIEWS, SYMPTOMS } from './texts.js';

/** A patient or a doctor, with the id of the record. */
interface Person {
  readonly id: number;
  readonly userId: number;
  readonly joined: Date;
}

interface DemoDoctor extends Person {
  /** The ids of the slots that the doctor offers. */
  readonly slots: readonly number[];
}

interface Visit {
  readonly patient: Person;
  readonly doctor: DemoDoctor;
  readonly date: string;
  readonly slot: number;
  readonly kind: 'past' | 'today' | 'upcoming' | 'cancelled';
}

const DAY = 86_400_000;

/** The date so many days from today; of a weekend, the Monday after it. */
function workday(today: string, days: number): string {
  const date = new Date(Date.parse(today) + days * DAY);
  const weekday = date.getUTCDay();
  if (weekday === 6 || weekday === 0) date.setTime(date.getTime() + (weekday === 6 ? 2 : 1) * DAY);
  return date.toISOString().slice(0, 10);
}

/**
 * Three to five visits of every patient from half a year ago to five weeks ahead. The first patient, whose account the
 * demo offers, knows the first doctor, whose account it offers too.
 */
function planVisits(patients: readonly Person[], doctors: readonly DemoDoctor[], today: string): Visit[] {
  const taken = new Set<string>();
  const visits: Visit[] = [];
  const plan = (patient: Person, doctor: DemoDoctor, [days, at]: [number, number], isCancelled = false): void => {
    const [date, slot] = [workday(today, days), doctor.slots[at % doctor.slots.length] as number];
    // A past visit must not move to today or later.
    if (days < 0 !== date < today) return;
    const keys = [`doctor ${doctor.id} ${date} ${slot}`, `patient ${patient.id} ${date} ${slot}`];
    if (keys.some((key) => taken.has(key)) || patient.joined.getTime() > Date.parse(date)) return;
    for (const key of keys) taken.add(key);
    const kind = isCancelled ? 'cancelled' : date < today ? 'past' : date === today ? 'today' : 'upcoming';
    visits.push({ patient, doctor, date, slot, kind });
  };
  const [account] = patients as [Person];
  const [chief, second] = doctors as [DemoDoctor, DemoDoctor];
  plan(account, chief, [-96, 1]);
  plan(account, chief, [-33, 2]);
  plan(account, second, [4, 0]);
  plan(account, chief, [9, 3]);
  plan(account, chief, [16, 1], true);
  for (const [index, patient] of patients.slice(1).entries()) {
    const doctorAt = (step: number): DemoDoctor => doctors[(index * 5 + step * 7) % doctors.length] as DemoDoctor;
    plan(patient, doctorAt(0), [-170 + ((index * 13) % 90), index]);
    plan(patient, doctorAt(1), [-60 + ((index * 7) % 50), index + 1], index % 8 === 3);
    plan(patient, doctorAt(2), [2 + ((index * 3) % 10), index + 2]);
    if (index % 3 === 0) plan(patient, chief, [-25 + index, index]);
    if (index % 3 === 1) plan(patient, chief, [index % 12, index]);
    if (index % 4 === 0) plan(patient, doctorAt(3), [14 + ((index * 5) % 20), index + 3], index % 8 === 4);
    if (index % 6 === 2) plan(patient, doctorAt(4), [0, index]);
  }
  return visits;
}

const STATUS = { past: 'completed', today: 'running', upcoming: 'pending', cancelled: 'pending' } as const;

async function addAppointments(tx: Tx, visits: readonly Visit[], calendar: Calendar): Promise<number[]> {
  const slots = new Map((await tx.select().from(availableTimes)).map((slot) => [slot.id, slot]));
  const rows = await tx
    .insert(appointments)
    .values(
      visits.map(({ patient, doctor, date, slot: id, kind }, index) => {
        const slot = slots.get(id) as typeof availableTimes.$inferSelect;
        const made = Math.min(
          Date.parse(date) - (5 + (index % 9)) * DAY,
          calendar.now.getTime() - (1 + (index % 5)) * DAY,
        );
        const createdAt = new Date(Math.max(made, patient.joined.getTime(), doctor.joined.getTime()));
        return {
          ...{ patientId: patient.id, doctorId: doctor.id, availableTimeId: id, date, createdAt, updatedAt: createdAt },
          period: periodOf(sql`${date}::date`, slot, calendar),
          type: index % 3 === 1 ? ('online' as const) : ('offline' as const),
          status: STATUS[kind],
          symptoms: SYMPTOMS[index % SYMPTOMS.length] as string,
          isCancelled: kind === 'cancelled',
        };
      }),
    )
    .returning({ id: appointments.id });
  return rows.map(({ id }) => id);
}

/** Two of three patients who were with a doctor have said how it was, once each. */
async function addReviews(tx: Tx, visits: readonly Visit[], today: string): Promise<void> {
  const said = new Set<string>();
  const values = visits.flatMap(({ patient, doctor, date, kind }, index) => {
    const key = `${patient.id} ${doctor.id}`;
    if (kind !== 'past' || index % 3 === 2 || said.has(key)) return [];
    said.add(key);
    const rating = [5, 4, 5, 3, 5, 4, 5, 2, 4, 5][index % 10] as number;
    const bodies = REVIEWS[rating] as readonly string[];
    const createdOn = [new Date(Date.parse(date) + DAY).toISOString().slice(0, 10), today].sort()[0] as string;
    const written = new Date(createdOn);
    return {
      ...{ patientId: patient.id, doctorId: doctor.id, rating, createdOn, createdAt: written, updatedAt: written },
      body: bodies[Math.floor(index / 10) % bodies.length] as string,
    };
  });
  await tx.insert(reviews).values(values);
}

interface Booked {
  readonly visit: Visit;
  /** The appointment's. */
  readonly id: number;
}

/** The patient of a visit puts it off by a week or more, so that it has a history. */
async function putOff(tx: Tx, visits: readonly Visit[], { visit, id }: Booked, calendar: Calendar): Promise<void> {
  const { patient, doctor, date, slot } = visit;
  const isTaken = (day: string): boolean =>
    visits.some((other) => other.date === day && (other.patient === patient || other.doctor === doctor));
  let later = workday(date, 7);
  while (isTaken(later)) later = workday(later, 1);
  const times = one(await tx.select().from(availableTimes).where(eq(availableTimes.id, slot)));
  await signTransaction({ db: tx, caller: { id: patient.userId } });
  await tx
    .update(appointments)
    .set({ date: later, period: periodOf(sql`${later}::date`, times, calendar) })
    .where(eq(appointments.id, id));
}

/** Adds appointments, past, present and to come, and reviews. */
export async function addVisits(
  tx: Tx,
  patients: readonly Person[],
  doctors: readonly DemoDoctor[],
  calendar: Calendar,
): Promise<void> {
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: calendar.zone }).format(calendar.now);
  const visits = planVisits(patients, doctors, today);
  const ids = await addAppointments(tx, visits, calendar);
  await addReviews(tx, visits, today);
  const first = visits.findIndex(({ kind }) => kind === 'upcoming');
  await putOff(tx, visits, { visit: visits[first] as Visit, id: ids[first] as number }, calendar);
}
