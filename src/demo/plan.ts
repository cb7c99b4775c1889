/** Who of the demo's people is with whom and when, by a seed and the clinic's clock alone. */
import type { Calendar } from '../scheduling/calendar.js';
import { between, chanceOf, pick, shuffled, type Chance } from './random.js';
import { COMPLAINTS } from './texts.js';

/** A patient or a doctor, with the id of the record. */
export interface Person {
  readonly id: number;
  /** Of a patient without an account: who books for them. */
  readonly userId: number;
  readonly joined: Date;
}

export interface Slot {
  readonly id: number;
  /** In minutes after midnight; null for a slot without clock times. */
  readonly start: number | null;
}

export interface PlannedDoctor extends Person {
  /** Those of every week. */
  readonly slots: readonly Slot[];
  readonly specialisations: readonly string[];
  /** Whether anybody has booked the days to come. */
  readonly isBooked: boolean;
}

export interface Clinic {
  /** The first is the one whose account the demo offers. */
  readonly patients: readonly Person[];
  readonly dependant: Person;
  readonly deskPatient: Person;
  readonly doctors: readonly PlannedDoctor[];
  /** The doctor whose account the demo offers, and who is on duty now. */
  readonly chief: PlannedDoctor;
  readonly slots: readonly Slot[];
}

/** As the database keeps it of an appointment. */
export interface Change {
  readonly at: Date;
  /** A user's id. */
  readonly by: number;
  readonly field: 'created' | 'date' | 'status' | 'cancelled' | 'cancel_reason' | 'attendance';
  readonly before: string;
  readonly after: string;
}

export interface Visit {
  readonly patient: Person;
  readonly doctor: PlannedDoctor;
  readonly date: string;
  readonly slot: Slot;
  readonly status: 'pending' | 'running' | 'completed';
  /** Who cancelled it; null for what is not cancelled. */
  readonly cancelCode: 'patient' | 'doctor' | null;
  readonly attendance: 'arrived' | 'no_show' | null;
  readonly symptoms: string;
  readonly type: 'online' | 'offline';
  readonly isOfSeries: boolean;
  readonly createdAt: Date;
  /** The oldest first, which is that it was made. */
  readonly changes: readonly Change[];
  readonly endsAt: Date;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LENGTH = 30 * MINUTE;
/** Of so many visits to others than the doctor on duty one was missed. */
const MISSED = 12;
/** When a visit in a slot without clock times is taken to begin. */
const EVENING = 18 * HOUR;

/** What the clinic's clock shows, as the time at which a clock in UTC shows the same. */
function clinicClock({ now, zone }: Calendar): number {
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  const shown = new Map(format.formatToParts(now).map(({ type, value }) => [type, Number(value)]));
  const [year = 0, month = 1, day, hour, minute, second] = (
    ['year', 'month', 'day', 'hour', 'minute', 'second'] as const
  ).map((part) => shown.get(part));
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** The half hours around now, from four before the present one to seven after it: some are of yesterday or tomorrow. */
function dutyHours(calendar: Calendar): number[] {
  const present = Math.floor(clinicClock(calendar) / LENGTH) * LENGTH;
  return Array.from({ length: 12 }, (_, index) => present + (index - 4) * LENGTH);
}

const dateText = (day: number): string => new Date(day).toISOString().slice(0, 10);

const minuteOf = (time: number): number => (time % DAY) / MINUTE;

/** The same as minutes of the day. */
export const dutyStarts = (calendar: Calendar): number[] => dutyHours(calendar).map(minuteOf);

const FOLLOW_UPS = ['Follow-up', 'Result of the tests', 'Second opinion'];

/** Gives a complaint that fits a doctor, each one once; undefined when there is none left. */
function complaintsOf(chance: Chance): (doctor: PlannedDoctor) => string | undefined {
  const decks = new Map(
    Object.entries(COMPLAINTS).map(([specialisation, complaints]) => [
      specialisation,
      ['', ...FOLLOW_UPS].flatMap((kind) =>
        shuffled(chance, complaints).map((text) =>
          kind === '' ? text : `${kind}: ${text.charAt(0).toLowerCase()}${text.slice(1)}`,
        ),
      ),
    ]),
  );
  return ({ specialisations }) => decks.get(pick(chance, specialisations))?.shift();
}

interface Wish {
  readonly patient: Person;
  readonly doctor: PlannedDoctor;
  /** By the clinic's clock. */
  readonly day: number;
  readonly slot: Slot;
  readonly fate?: 'cancelled' | 'moved' | 'missed' | undefined;
  /** Of a visit of a series, what all of it is for. */
  readonly treatment?: string;
}

/** Takes wishes for visits, and fulfils those that the rules of booking allow. */
class Planner {
  readonly visits: Visit[] = [];
  readonly now: number;
  readonly today: number;
  readonly #calendar: Calendar;
  readonly #chance: Chance;
  readonly #nextComplaint: (doctor: PlannedDoctor) => string | undefined;
  readonly #busy = new Set<string>();

  constructor(calendar: Calendar, chance: Chance) {
    this.#calendar = calendar;
    this.#chance = chance;
    this.#nextComplaint = complaintsOf(chance);
    this.now = clinicClock(calendar);
    this.today = this.now - (this.now % DAY);
  }

  /** The day so many days from today; of a weekend the Monday after it, where that can be booked. */
  workday(days: number): number {
    const day = this.today + days * DAY;
    const wait = [1, 0, 0, 0, 0, 0, 2][new Date(day).getUTCDay()] as number;
    return days + wait > this.#calendar.horizonDays ? day : day + wait * DAY;
  }

  isWeekend(): boolean {
    return this.workday(0) !== this.today;
  }

  add({ patient, doctor, day, slot, fate, treatment }: Wish): void {
    const start = day + (slot.start === null ? EVENING : slot.start * MINUTE);
    const joined = this.#moment(Math.max(patient.joined.getTime(), doctor.joined.getTime()), 'shown');
    const keys = [patient, doctor].map(({ userId }) => `${userId} ${start}`);
    const first = start - (fate === 'moved' ? this.#delayTo(day) : 0);
    const latest = Math.min(first, this.now) - HOUR;
    if (day > this.today + this.#calendar.horizonDays * DAY || joined + HOUR > latest) return;
    if (keys.some((key) => this.#busy.has(key))) return;
    const symptoms = treatment ?? this.#nextComplaint(doctor);
    if (symptoms === undefined) return;
    if (fate !== 'cancelled') for (const key of keys) this.#busy.add(key);

    const made = Math.max(joined + HOUR, Math.min(latest, first - between(this.#chance, 3, 14) * DAY));
    const isPending = fate === 'cancelled' || fate === 'missed' || start > this.now;
    const status = isPending ? 'pending' : start + LENGTH > this.now ? 'running' : ('completed' as const);
    const changes = this.#changesOf({ patient, doctor, day, slot, fate }, { made, first, start, status });
    this.visits.push({
      ...{ patient, doctor, slot, symptoms, status, changes },
      cancelCode: (changes.find(({ field }) => field === 'cancel_reason')?.after as 'patient' | undefined) ?? null,
      attendance: fate === 'missed' ? 'no_show' : isPending ? null : 'arrived',
      date: dateText(day),
      isOfSeries: treatment !== undefined,
      type: this.#chance() < 0.35 ? 'online' : 'offline',
      createdAt: new Date(this.#moment(made)),
      endsAt: new Date(this.#moment(start + LENGTH)),
    });
  }

  /** By how much a visit on a day was put off: a week, but from no day that is past. */
  #delayTo(day: number): number {
    return Math.min(7 * DAY, day - this.today);
  }

  /** From the time that the clinic's clock shows to the moment, or back. */
  #moment(time: number, to: 'moment' | 'shown' = 'moment'): number {
    const ahead = this.now - this.#calendar.now.getTime();
    return to === 'moment' ? time - ahead : time + ahead;
  }

  #changesOf(
    { patient, doctor, day, fate }: Wish,
    { made, first, start, status }: { made: number; first: number; start: number; status: Visit['status'] },
  ): Change[] {
    const change = (time: number, by: Person, rest: Pick<Change, 'field' | 'before' | 'after'>): Change => ({
      at: new Date(this.#moment(time)),
      by: by.userId,
      ...rest,
    });
    const meanwhile = made + (Math.min(first, this.now) - made) * (0.2 + 0.6 * this.#chance());
    const changes = [change(made, patient, { field: 'created', before: 'false', after: 'true' })];
    if (fate === 'cancelled') {
      const isPatient = this.#chance() < 0.7;
      const by = isPatient ? patient : doctor;
      changes.push(
        change(meanwhile, by, { field: 'cancelled', before: 'false', after: 'true' }),
        change(meanwhile, by, { field: 'cancel_reason', before: '', after: isPatient ? 'patient' : 'doctor' }),
      );
    }
    if (fate === 'moved') {
      const [before = '', after = ''] = [day - this.#delayTo(day), day].map(dateText);
      changes.push(change(meanwhile, patient, { field: 'date', before, after }));
    }
    if (fate === 'missed')
      changes.push(change(start + LENGTH, doctor, { field: 'attendance', before: '', after: 'no_show' }));
    if (status !== 'pending') {
      changes.push(
        change(start, doctor, { field: 'attendance', before: '', after: 'arrived' }),
        change(start, doctor, { field: 'status', before: 'pending', after: 'running' }),
      );
    }
    if (status === 'completed')
      changes.push(change(start + LENGTH, doctor, { field: 'status', before: 'running', after: 'completed' }));
    return changes;
  }
}

/** What the patient's account of the demo has had and will have. The first can be changed, and was. */
function planAccount(planner: Planner, { patients, doctors, chief }: Clinic, { horizonDays }: Calendar): void {
  const [patient] = patients as [Person];
  const other = doctors.find((doctor) => doctor.isBooked && doctor !== chief) as PlannedDoctor;
  const wish = (doctor: PlannedDoctor, days: number, at: number, fate?: Wish['fate']): void =>
    planner.add({ patient, doctor, day: planner.workday(days), slot: doctor.slots[at] as Slot, fate });
  wish(chief, Math.min(9, horizonDays), 3, 'moved');
  wish(chief, -96, 1);
  wish(chief, -33, 2);
  wish(other, 4, 0);
  wish(chief, 16, 1, 'cancelled');
}

/** What the doctor on duty has had since two hours ago, has now, and will have in the next hours. */
function planDuty(planner: Planner, { patients, chief, slots }: Clinic, chance: Chance, calendar: Calendar): void {
  const [account, ...others] = patients;
  const waiting = shuffled(chance, others);
  // One half hour of those before now is empty, and two of those to come.
  for (const [index, time] of dutyHours(calendar).entries()) {
    if ([2, 7, 10].includes(index)) continue;
    planner.add({
      patient: (index === 6 ? account : waiting.pop()) as Person,
      doctor: chief,
      day: time - (time % DAY),
      slot: slots.find(({ start }) => start === minuteOf(time)) as Slot,
    });
  }
  const cancelled = dutyHours(calendar)[7] as number;
  planner.add({
    ...{ patient: waiting.pop() as Person, doctor: chief, day: cancelled - (cancelled % DAY), fate: 'cancelled' },
    slot: slots.find(({ start }) => start === minuteOf(cancelled)) as Slot,
  });
}

/** Everybody else, from half a year ago to four weeks ahead. */
function planOthers(planner: Planner, { patients, doctors, chief }: Clinic, chance: Chance): void {
  const others = patients.slice(1);
  const booked = doctors.filter(({ isBooked }) => isBooked);
  const wish = (patient: Person, doctor: PlannedDoctor, day: number): void => {
    const lot = chance();
    const isMissed = doctor !== chief && day < planner.today && planner.visits.length % MISSED === 0;
    const usual = isMissed ? 'missed' : undefined;
    const fate = lot < 0.1 ? 'cancelled' : lot > 0.9 && day > planner.today ? 'moved' : usual;
    planner.add({ patient, doctor, day, slot: pick(chance, doctor.slots), fate });
  };
  // What is past must not move to today.
  const past = (days: number): number => Math.min(planner.workday(-days), planner.workday(-days - 3));
  for (const patient of others) {
    for (let left = between(chance, 1, 3); left > 0; left--) {
      wish(patient, pick(chance, doctors), past(between(chance, 5, 170)));
    }
    if (chance() < 0.8) wish(patient, pick(chance, booked), planner.workday(between(chance, 1, 28)));
  }
  for (let left = 12; left > 0; left--) {
    wish(pick(chance, others), chief, past(between(chance, 1, 60)));
    if (left > 4) wish(pick(chance, others), chief, planner.workday(between(chance, 1, 20)));
  }
  for (const doctor of booked) {
    const works = !planner.isWeekend() || doctor.specialisations.includes('Emergency Medicine');
    if (works && doctor !== chief && chance() < 0.6) wish(pick(chance, others), doctor, planner.today);
  }
}

/** What others have booked for those without an account, all to come. */
function planAccountless(planner: Planner, { dependant, deskPatient, doctors, chief }: Clinic): void {
  const isForChildren = ({ isBooked, specialisations }: PlannedDoctor): boolean =>
    isBooked && specialisations.includes('Paediatrics');
  const paediatrician = doctors.find(isForChildren) ?? chief;
  for (const [patient, doctor, days] of [
    [dependant, paediatrician, 6],
    [deskPatient, chief, 11],
  ] as const) {
    planner.add({ patient, doctor, day: planner.workday(days), slot: doctor.slots[0] as Slot });
  }
}

/** What the patient's account has booked at once, for after all else. */
function planSeries(planner: Planner, { patients, chief }: Clinic): void {
  const [patient] = patients as [Person];
  for (const week of [0, 1, 2, 3]) {
    planner.add({
      ...{ patient, doctor: chief, day: planner.workday(31) + week * 7 * DAY, slot: chief.slots[2] as Slot },
      treatment: 'Weekly check of the blood pressure',
    });
  }
}

/** Plans the visits; the first is the patient's account's, to come, and put off once, and then comes its series. */
export function planVisits(clinic: Clinic, calendar: Calendar, seed: number): Visit[] {
  const chance = chanceOf(seed);
  const planner = new Planner(calendar, chance);
  planAccount(planner, clinic, calendar);
  planDuty(planner, clinic, chance, calendar);
  planOthers(planner, clinic, chance);
  planAccountless(planner, clinic);
  planSeries(planner, clinic);
  const [first, ...rest] = planner.visits;
  const rank = ({ isOfSeries, createdAt }: Visit): number => (isOfSeries ? 0 : createdAt.getTime());
  return [first as Visit, ...rest.sort((a, b) => rank(a) - rank(b))];
}
