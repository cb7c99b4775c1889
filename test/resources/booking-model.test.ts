/**
 * Booking held against a model: thousands of random histories of what patients, doctors and staff do. Each step is
 * also taken in plain TypeScript that knows no SQL, and the two have to come to the same.
 */
import { sql } from 'drizzle-orm';
import fc from 'fast-check';
import assert from 'node:assert/strict';
import t from 'tap';
import { transaction, type Db } from '../../db/client.js';
import { JsonText } from '../../db/json.js';
import { DryRun } from '../../openapi/operation.js';
import { ProblemError } from '../../openapi/problem-error.js';
import type { Displace, DoctorSlotPage, FreeSlot, Hold, WaitingEntry } from '../../openapi/generated/schemas.js';
import type { UserVisit, Visit } from '../../src/lib/visit.js';
import type { Calendar } from '../../src/scheduling/calendar.js';
import {
  createAppointment,
  deleteAppointment,
  replaceAppointment,
  updateAppointment,
} from '../../src/resources/appointments/service.js';
import { listDoctorAvailability, searchAvailability } from '../../src/resources/availability/service.js';
import { createAvailableTime } from '../../src/resources/available-times/service.js';
import { updateDoctor } from '../../src/resources/doctors/service.js';
import { createHold, deleteHold } from '../../src/resources/holds/service.js';
import { replaceDoctorHours } from '../../src/resources/hours/service.js';
import { createTimeOff, deleteTimeOff } from '../../src/resources/time-off/service.js';
import { createWaitingEntry, declineOffer, deleteWaitingEntry } from '../../src/resources/waiting-list/service.js';
import { lockDoctor } from '../../src/scheduling/locks.js';
import { offerFreed } from '../../src/scheduling/offers.js';
import { openTestDatabase } from '../helpers/database.js';
import { visitOf } from '../helpers/visit.js';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const HORIZON_DAYS = 3;
/** Histories run beside each other, each over doctors and patients of its own. */
const WORKERS = 4;

interface Slot {
  readonly label: string;
  /** Minutes after midnight; without them the slot is a label only. */
  readonly minutes?: readonly [start: number, end: number];
}

const SLOTS: readonly Slot[] = [
  { label: '10:00 - 10:30', minutes: [600, 630] },
  { label: '10:15 - 10:45', minutes: [615, 645] },
  { label: '10:30 - 11:00', minutes: [630, 660] },
  { label: '20:00 - 02:10', minutes: [1200, 1570] },
  { label: '02:00 - 02:30', minutes: [120, 150] },
  { label: 'Evening' },
];

/** The clocks of a zone, by Intl. */
class Clocks {
  readonly zone: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #starts = new Map<string, number | null>();
  readonly #days = new Map<number, string>();

  constructor(zone: string) {
    this.zone = zone;
    // The Swedish format is that of ISO 8601.
    this.#format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' });
  }

  /** What the clocks show, as if it were UTC. */
  #shown(moment: number): number {
    return Date.parse(`${this.#format.format(moment).replace(' ', 'T')}Z`);
  }

  dayAt(moment: number): string {
    let day = this.#days.get(moment);
    if (day === undefined) this.#days.set(moment, (day = new Date(this.#shown(moment)).toISOString().slice(0, 10)));
    return day;
  }

  /** The last moment of the day at which the clocks show the minute; null where they skip it. */
  moment(day: string, minute: number): number | null {
    const key = `${day} ${minute}`;
    let found = this.#starts.get(key);
    if (found === undefined) {
      const shown = Date.parse(day) + minute * MINUTE;
      const offsets = [shown - DAY, shown + DAY].map((moment) => this.#shown(moment) - moment);
      const moments = offsets.map((offset) => shown - offset).filter((moment) => this.#shown(moment) === shown);
      found = moments.length > 0 ? Math.max(...moments) : null;
      this.#starts.set(key, found);
    }
    return found;
  }
}

const plusDays = (day: string, days: number): string =>
  new Date(Date.parse(day) + days * DAY).toISOString().slice(0, 10);

/** Who acts: staff, who may do all, the appointment's patient or doctor, or nobody who is known. */
type By = 'staff' | 'patient' | 'doctor' | 'anybody';
type Booker = Exclude<By, 'anybody'>;
type Mark = 'arrived' | 'no_show' | null;

/** An appointment of the model; doctor, patient and slot are indices. */
interface Entry {
  readonly id: number;
  doctor: number;
  patient: number;
  slot: number;
  date: string;
  isCancelled: boolean;
  /** The code of why it is cancelled. */
  reason: string | null;
  attendance: Mark;
  isOverbooked: boolean;
}

type Place = Pick<Entry, 'doctor' | 'patient' | 'slot' | 'date'>;
type Outcome =
  | { status: 201 | 200; date: string; isOverbooked: boolean }
  | { status: 400 | 403 }
  | { status: 409; doctor?: number; patient?: number; asked?: string | undefined };

/** How long before the start patients may book and change, in minutes. */
interface Notice {
  readonly booking: number;
  readonly change: number;
}

/** Slots that a doctor works in on a day of the week. */
interface Shift {
  readonly weekday: number;
  slots: readonly number[];
  readonly everyWeeks: number;
  readonly startsOn: string;
  readonly endsOn: string | null;
}

/** Leave of a doctor: whole days, or from one moment to another. */
interface Leave {
  readonly id: number;
  readonly doctor: number;
  readonly from: string | number;
  readonly to: string | number;
}

/** Who looks or acts, to holds: staff, a patient or a doctor by index, or somebody at an address. */
type Holder = 'staff' | 'patient 0' | 'patient 1' | 'doctor 0' | 'doctor 1' | 'anybody';

/** A slot that is kept free until a moment. */
interface Held {
  readonly token: string;
  readonly holder: Holder;
  readonly doctor: number;
  readonly slot: number;
  readonly date: string;
  readonly until: number;
}

const MAX_HOLDS = 3;

/** Of a patient's upcoming appointments, in all and with one doctor. */
const MAX_OPEN = 2;
const MAX_OPEN_WITH_ONE = 1;

/** A patient on the waiting list for a doctor; no slots are all. */
interface Wait {
  readonly id: number;
  readonly patient: number;
  readonly doctor: number;
  readonly from: string;
  readonly to: string;
  readonly slots: readonly number[];
  /** What was offered. */
  readonly seen: Set<string>;
}

/** What is offered to who waits, as the database has it: it may have ended. */
interface Offer {
  readonly wait: Wait;
  readonly doctor: number;
  readonly slot: number;
  readonly date: string;
  readonly until: number;
}

const OFFER_MINUTES = 30;
const nameOf = ({ doctor, slot, date }: Pick<Offer, 'doctor' | 'slot' | 'date'>): string => [doctor, slot, date].join();

const overlap = (one: readonly [number, number], two: readonly [number, number]): boolean =>
  one[0] < two[1] && two[0] < one[1];

/** Who takes a time, and what is not in the way: an appointment that moves, a hold whose token is sent. */
interface Taker {
  readonly holder: Holder;
  readonly except?: Entry | undefined;
  readonly hold?: Held | undefined;
  /** Whether what is offered to the patient is not in the way: it is that day which is asked for. */
  readonly isOnDay?: boolean;
}

const byOf = (holder: Holder): By => holder.split(' ')[0] as By;
const holderOf = (by: By, { patient, doctor }: { patient: number; doctor: number }): Holder => {
  if (by === 'patient') return `patient ${patient as 0 | 1}`;
  return by === 'doctor' ? `doctor ${doctor as 0 | 1}` : by;
};

/** What has to come about in the histories, or they show nothing of it. */
const EVENTS = [
  'booked',
  'refused',
  'overbooked',
  'moved',
  'held',
  'redeemed',
  'displaced',
  'offered',
  'full',
  'bounded',
] as const;

class Model {
  readonly seen: Map<(typeof EVENTS)[number], number>;
  readonly clocks: Clocks;
  readonly notice: Notice;
  now: number;
  readonly offers = [new Set(SLOTS.keys()), new Set(SLOTS.keys())];
  readonly hours: [Shift[], Shift[]] = [[], []];
  leaves: Leave[] = [];
  entries: Entry[] = [];
  /** Those that have ended too. */
  holds: Held[] = [];
  waits: Wait[] = [];
  offered: Offer[] = [];
  /** What the last step has given up. */
  freed: Pick<Place, 'doctor' | 'slot' | 'date'> | undefined;

  constructor(clocks: Clocks, { now, notice, seen }: Pick<Model, 'now' | 'notice' | 'seen'>) {
    this.clocks = clocks;
    this.notice = notice;
    this.now = now;
    this.seen = seen;
  }

  count(event: (typeof EVENTS)[number], times = 1): void {
    this.seen.set(event, (this.seen.get(event) ?? 0) + times);
  }

  day(offset: number): string {
    return plusDays(this.clocks.dayAt(this.now), offset);
  }

  /** From when to when a slot lasts on a day. */
  #period(slot: number, date: string): [number, number] | null {
    const minutes = SLOTS[slot]?.minutes;
    const start = minutes && this.clocks.moment(date, minutes[0]);
    return minutes && typeof start === 'number' ? [start, start + (minutes[1] - minutes[0]) * MINUTE] : null;
  }

  /** How answers show a slot on a day. */
  shown({ slot, date }: Pick<Entry, 'slot' | 'date'>) {
    const [start, end] = this.#period(slot, date)?.map((moment) => new Date(moment).toISOString()) ?? [null, null];
    return { label: SLOTS[slot]?.label, start, end };
  }

  /** Whether a slot begins later than in so many minutes; a label begins when its day is over. */
  #isAhead(slot: number, date: string, minutes: number): boolean {
    const then = this.now + minutes * MINUTE;
    if (SLOTS[slot]?.minutes === undefined) return date >= this.clocks.dayAt(then);
    const period = this.#period(slot, date);
    return period !== null && period[0] > then;
  }

  #mayBegin(slot: number, date: string, by: By): boolean {
    if (date < this.day(0) || date > this.day(HORIZON_DAYS)) return false;
    return this.#isAhead(slot, date, by === 'staff' || by === 'doctor' ? 0 : this.notice.booking);
  }

  /** Whether nothing forbids a slot on a day that who overbooks can not go past. */
  #isPossible(slot: number, date: string): boolean {
    const hasTime = SLOTS[slot]?.minutes === undefined || this.#period(slot, date) !== null;
    return date >= this.day(0) && date <= this.day(HORIZON_DAYS) && hasTime;
  }

  hasBegun({ slot, date }: Entry): boolean {
    return !this.#isAhead(slot, date, 0);
  }

  /** Whether somebody may still do something about it. */
  isOpen({ slot, date, attendance }: Entry, by: By): boolean {
    return by === 'staff' || by === 'doctor' || (attendance === null && this.#isAhead(slot, date, this.notice.change));
  }

  /** What the clocks would show from its start to its end if they never changed. */
  #label(slot: number, date: string): [number, number] | null {
    const minutes = SLOTS[slot]?.minutes;
    return minutes ? [Date.parse(date) + minutes[0] * MINUTE, Date.parse(date) + minutes[1] * MINUTE] : null;
  }

  /** Whether two overlap as they pass, or as they read. */
  #collide(a: Pick<Entry, 'slot' | 'date'>, b: Pick<Entry, 'slot' | 'date'>): boolean {
    const [one, two] = [this.#period(a.slot, a.date), this.#period(b.slot, b.date)];
    const [read, other] = [this.#label(a.slot, a.date), this.#label(b.slot, b.date)];
    if (one && two && read && other) return overlap(one, two) || overlap(read, other);
    return a.slot === b.slot && a.date === b.date;
  }

  /** Whether a doctor works in a slot on a day, by hours that may yet be stored. */
  isWorked(slot: number, date: string, hours: readonly Shift[]): boolean {
    const weekday = new Date(date).getUTCDay() || 7;
    return (
      hours.length === 0 ||
      hours.some((shift) => {
        const days = (Date.parse(date) - Date.parse(shift.startsOn)) / DAY;
        const isInWeek = days >= 0 && Math.floor(days / 7) % shift.everyWeeks === 0;
        const isBefore = shift.endsOn === null || date <= shift.endsOn;
        return shift.weekday === weekday && shift.slots.includes(slot) && isInWeek && isBefore;
      })
    );
  }

  /** Whether leave takes something of a slot on a day: of its day as it reads, of a moment as it passes. */
  takes({ from, to }: Omit<Leave, 'id' | 'doctor'>, slot: number, date: string): boolean {
    const [label, period] = [this.#label(slot, date), this.#period(slot, date)];
    if (typeof from === 'string' || typeof to === 'string') {
      if (label === null) return date >= from.toString() && date <= to.toString();
      return overlap(label, [Date.parse(from.toString()), Date.parse(to.toString()) + DAY]);
    }
    if (SLOTS[slot]?.minutes === undefined) {
      const [midnight, next] = [date, plusDays(date, 1)].map((day) => this.clocks.moment(day, 0) as number);
      return from <= (midnight as number) && to >= (next as number);
    }
    return period !== null && overlap(period, [from, to]);
  }

  /** Whether it is not over yet: by the later of its end as it passes and as it reads. */
  isUpcoming({ slot, date }: Entry): boolean {
    const minutes = SLOTS[slot]?.minutes;
    if (minutes === undefined) return date >= this.day(0);
    const ends = [this.#period(slot, date)?.[1] ?? 0, this.clocks.moment(date, minutes[1]) ?? 0];
    return Math.max(...ends) > this.now;
  }

  /** Whether a doctor can be had in a slot on a day, but for appointments. */
  #isOffered(doctor: number, slot: number, date: string): boolean {
    const isOff = this.leaves.some((leave) => leave.doctor === doctor && this.takes(leave, slot, date));
    return !isOff && this.isWorked(slot, date, this.hours[doctor] ?? []);
  }

  #isFree(
    place: Pick<Place, 'slot' | 'date'> & { doctor?: number | undefined; patient?: number },
    { holder, except, hold, isOnDay = false }: Taker,
  ): boolean {
    const isBooked = this.entries.some(
      (entry) =>
        entry !== except &&
        !entry.isCancelled &&
        (entry.doctor === place.doctor || entry.patient === place.patient) &&
        this.#collide(entry, place),
    );
    const { doctor } = place;
    if (isBooked || doctor === undefined) return !isBooked;
    const isHeld = this.liveHolds({ ...place, doctor }).some((held) => held !== hold && !this.#isOwn(held, holder));
    const isOffered = this.#liveOffers({ ...place, doctor }).some(
      ({ wait }) => holder !== `patient ${wait.patient}` && !(isOnDay && wait.patient === place.patient),
    );
    return !isHeld && !isOffered;
  }

  #isOwn(held: Held, holder: Holder): boolean {
    return holder !== 'anybody' && held.holder === holder;
  }

  #liveOffers(place: Pick<Place, 'doctor' | 'slot' | 'date'>): Offer[] {
    return this.offered.filter(
      (offer) => offer.until > this.now && offer.doctor === place.doctor && this.#collide(offer, place),
    );
  }

  /** Whether somebody who waits and has no offer could be offered a time that is free for everybody. */
  #couldHave(wait: Wait, place: Pick<Place, 'doctor' | 'slot' | 'date'>): boolean {
    const { patient, doctor, from, to, slots, seen } = wait;
    return (
      doctor === place.doctor &&
      place.date >= from &&
      place.date <= to &&
      (slots.length === 0 || slots.includes(place.slot)) &&
      !seen.has(nameOf(place)) &&
      !this.offered.some((offer) => offer.wait === wait) &&
      this.#isFree({ slot: place.slot, date: place.date, patient }, { holder: 'anybody' })
    );
  }

  #isFreeForAll({ doctor, slot, date }: Pick<Place, 'doctor' | 'slot' | 'date'>): boolean {
    return this.free(doctor, 'anybody').some((place) => place.slot === slot && place.date === date);
  }

  /** Holds what the database offers now against what it offered before. */
  checkOffers(offered: Offer[]): void {
    const made = offered.filter(({ wait, ...place }) => !wait.seen.has(nameOf(place)));
    const kept = offered.filter((offer) => !made.includes(offer));
    const had = new Set(this.offered.map((offer) => [offer.wait.id, nameOf(offer), offer.until].join()));
    for (const offer of kept) assert.ok(had.has([offer.wait.id, nameOf(offer), offer.until].join()), 'offered again');
    for (const offer of made) {
      this.offered = offered.filter((other) => other !== offer);
      assert.equal(offer.until, this.now + OFFER_MINUTES * MINUTE);
      assert.ok(this.#isFreeForAll(offer), `${nameOf(offer)} is not free`);
      const [first] = this.waits.filter((wait) => this.#couldHave(wait, offer));
      assert.equal(first?.id, offer.wait.id, `${nameOf(offer)} is offered to the first who can have it`);
    }
    this.offered = offered;
    for (const { wait, ...place } of made) wait.seen.add(nameOf(place));
    this.count('offered', made.length);
    const { freed } = this;
    this.freed = undefined;
    if (freed === undefined || !this.#isFreeForAll(freed)) return;
    assert.ok(!this.waits.some((wait) => this.#couldHave(wait, freed)), `${nameOf(freed)} is offered to nobody`);
  }

  /** Those that have not ended, of a doctor's time. */
  liveHolds(place: Pick<Place, 'doctor' | 'slot' | 'date'>): Held[] {
    return this.holds.filter(
      (held) => held.until > this.now && held.doctor === place.doctor && this.#collide(held, place),
    );
  }

  /** Ends what somebody has held of a time that is theirs now, and the hold that it was taken by. */
  release(place: Pick<Place, 'doctor' | 'slot' | 'date'>, holder: Holder, hold?: Held): void {
    const ended = this.liveHolds(place).filter((held) => held === hold || this.#isOwn(held, holder));
    this.holds = this.holds.filter((held) => !ended.includes(held));
  }

  /** What comes of holding a place; without a date, of the soonest one. */
  hold(place: Omit<Place, 'patient' | 'date'> & { date: string | undefined }, holder: Holder): Outcome {
    const outcome = this.#takeFree({ ...place, patient: -1 }, { by: byOf(holder), holder, isCancelled: false });
    const isTooMuch = (date: string): boolean => {
      const released = this.liveHolds({ ...place, date }).filter((held) => this.#isOwn(held, holder));
      const left = this.holds.filter(
        (held) => held.holder === holder && held.until > this.now && !released.includes(held),
      );
      return left.length >= MAX_HOLDS;
    };
    const date = 'date' in outcome ? outcome.date : place.date;
    if (outcome.status === 400) return outcome;
    return date !== undefined && isTooMuch(date) ? { status: 409 } : outcome;
  }

  /** Free slots of a doctor within the horizon, soonest first, that somebody can book: for anyone, or for a patient. */
  free(doctor: number, holder: Holder, patient?: number): { date: string; slot: number }[] {
    const by = byOf(holder);
    const days = Array.from({ length: HORIZON_DAYS + 1 }, (_, offset) => this.day(offset));
    const start = (slot: number) => SLOTS[slot]?.minutes?.[0] ?? Infinity;
    return days.flatMap((date) =>
      [...(this.offers[doctor] ?? [])]
        .filter(
          (slot) =>
            this.#mayBegin(slot, date, by) &&
            this.#isOffered(doctor, slot, date) &&
            this.#isFree({ doctor, slot, date, ...(patient !== undefined && { patient }) }, { holder }),
        )
        .sort((a, b) => (start(a) === start(b) ? a - b : start(a) - start(b)))
        .map((slot) => ({ date, slot })),
    );
  }

  /** Those that are offered in place of a taken one: from the day that was asked for on, then those before it. */
  alternatives(
    doctor: number,
    patient: number,
    { holder, asked = this.day(0) }: { holder: Holder; asked: string | undefined },
  ): { date: string; slot: number }[] {
    const free = this.free(doctor, holder, patient);
    return [...free.filter(({ date }) => date >= asked), ...free.filter(({ date }) => date < asked)].slice(0, 5);
  }

  /** Whether a patient has as many upcoming appointments as a patient can book, but for one that moves. */
  #isBounded({ doctor, patient }: Pick<Place, 'doctor' | 'patient'>, except?: Entry): boolean {
    const open = this.entries.filter(
      (entry) => entry !== except && entry.patient === patient && !entry.isCancelled && this.isUpcoming(entry),
    );
    return open.length >= MAX_OPEN || open.filter((entry) => entry.doctor === doctor).length >= MAX_OPEN_WITH_ONE;
  }

  /** What comes of taking a place; without a date, of taking the soonest one. */
  take(
    place: Omit<Place, 'date'> & { date: string | undefined },
    how: Taker & { by: Booker; isCancelled: boolean; overbook: boolean },
  ): Outcome {
    const { doctor, patient, slot, date } = place;
    const ordinary = this.#takeFree(place, how);
    const { except } = how;
    const opens = !how.isCancelled && (except === undefined || except.isCancelled || except.doctor !== doctor);
    if (how.by === 'patient' && opens && ordinary.status !== 400 && this.#isBounded(place, except)) {
      this.count('bounded');
      return { status: 403 };
    }
    const isOfferedThen = date !== undefined && this.offers[doctor]?.has(slot) === true;
    const holdsIt = this.holds.some(
      (held) =>
        held.until > this.now &&
        [held.doctor, held.slot, held.date].join() === [doctor, slot, date].join() &&
        (held === how.hold || this.#isOwn(held, how.holder)),
    );
    const isOfferedIt = this.offered.some(
      ({ wait, until, ...offer }) =>
        until > this.now &&
        nameOf(offer) === [doctor, slot, date].join() &&
        (how.holder === `patient ${wait.patient}` || wait.patient === patient),
    );
    // It is overbooked where it could not be had otherwise, and nowhere else; so is what is held, if the time was meanwhile.
    const mayPass = how.overbook || (ordinary.status === 409 && (holdsIt || isOfferedIt));
    if (how.overbook && !isOfferedThen) return { status: 400 };
    if (!mayPass || ordinary.status === 201 || date === undefined) return ordinary;
    if (!this.#isPossible(slot, date)) return { status: 400 };
    const isFree = how.isCancelled || this.#isFree({ patient, slot, date }, how);
    return isFree ? { status: 201, date, isOverbooked: true } : { status: 409, doctor, patient, asked: date };
  }

  #takeFree(
    place: Omit<Place, 'date'> & { date: string | undefined },
    { by, isCancelled, ...taker }: Taker & { by: By; isCancelled: boolean },
  ): Outcome {
    const { doctor, patient, slot } = place;
    const { except } = taker;
    // What stays where it is does so under one that was booked over it.
    const stays =
      except !== undefined &&
      !except.isCancelled &&
      !except.isOverbooked &&
      [except.doctor, except.slot, except.date].join() === [doctor, slot, place.date].join();
    if (this.offers[doctor]?.has(slot) !== true) return { status: 400 };
    const days = place.date === undefined ? [0, 1, 2, 3].map((offset) => this.day(offset)) : [place.date];
    const possible = days.filter((date) => this.#mayBegin(slot, date, by) && this.#isOffered(doctor, slot, date));
    if (place.date !== undefined && possible.length === 0) return { status: 400 };
    const date = possible.find(
      (date) =>
        (isCancelled && place.date !== undefined) ||
        this.#isFree(
          { doctor: stays ? undefined : doctor, patient, slot, date },
          { ...taker, isOnDay: place.date !== undefined },
        ),
    );
    if (date === undefined) return { status: 409, doctor, patient, asked: place.date };
    return { status: 201, date, isOverbooked: false };
  }

  assertNoOverlap(): void {
    const live = this.entries.filter(({ isCancelled }) => !isCancelled);
    for (const held of [...this.holds, ...this.offered]) {
      const isBooked = live.some(
        (entry) => entry.doctor === held.doctor && !entry.isOverbooked && this.#collide(entry, held),
      );
      assert.ok(held.until <= this.now || !isBooked, JSON.stringify([held, live]));
    }
    for (const [index, a] of live.entries()) {
      for (const b of live.slice(index + 1)) {
        const mayMeet = a.patient !== b.patient && (a.doctor !== b.doctor || a.isOverbooked || b.isOverbooked);
        assert.ok(mayMeet || !this.#collide(a, b), JSON.stringify([a, b]));
      }
    }
  }
}

interface Ids {
  readonly doctors: readonly number[];
  readonly patients: readonly number[];
  /** The patients' users. */
  readonly users: readonly number[];
  /** A user of the staff. */
  readonly staff: number;
  /** The doctors' users. */
  readonly doctorUsers: readonly number[];
}

/** Clinics of two doctors who offer everything, two patients and one of the staff. */
async function makeClinics(db: Db, count: number): Promise<Ids[]> {
  return db.execute<{
    doctors: number[];
    doctorUsers: number[];
    patients: number[];
    users: number[];
    staff: number;
  }>(sql`
    with people as (
      insert into users (username, email, password_hash)
      select name, name || '@example.com', ''
      from (select gen_random_uuid()::text as name from generate_series(1, ${5 * count}::int)) as names returning id
    ), numbered as (select id, row_number() over (order by id) - 1 as n from people),
    new_doctors as (
      insert into doctors (user_id) select id from numbered where n % 5 < 2 order by id returning id, user_id
    ), new_patients as (
      insert into patients (user_id) select id from numbered where n % 5 in (2, 3) order by id returning id, user_id
    ), links as (
      insert into doctor_available_times (doctor_id, available_time_id)
      select new_doctors.id, available_times.id from new_doctors cross join available_times
    )
    select json_agg(new_doctors.id order by new_doctors.id) filter (where new_doctors.id is not null) as doctors,
      json_agg(new_doctors.user_id order by new_doctors.id) filter (where new_doctors.id is not null) as "doctorUsers",
      json_agg(new_patients.id order by new_patients.id) filter (where new_patients.id is not null) as patients,
      json_agg(new_patients.user_id order by new_patients.id) filter (where new_patients.id is not null) as users,
      max(numbered.id)::int as staff
    from numbered left join new_doctors on new_doctors.user_id = numbered.id
      left join new_patients on new_patients.user_id = numbered.id group by n / 5`);
}

/** The service, and the ids of what the model knows by index. */
class Real {
  readonly db: Db;
  readonly clocks: Clocks;
  readonly slots: readonly number[];
  readonly doctors: readonly number[];
  readonly patients: readonly number[];
  readonly users: readonly number[];
  readonly staff: number;
  readonly doctorUsers: readonly number[];

  constructor(db: Db, clocks: Clocks, slots: readonly number[], ids: Ids) {
    const { doctors, patients, users, staff, doctorUsers } = ids;
    this.db = db;
    this.clocks = clocks;
    this.slots = slots;
    this.doctors = doctors;
    this.patients = patients;
    this.users = users;
    this.staff = staff;
    this.doctorUsers = doctorUsers;
  }

  #calendar({ now, notice }: Model): Calendar {
    return {
      now: new Date(now),
      zone: this.clocks.zone,
      horizonDays: HORIZON_DAYS,
      slotMinutes: 30,
      bookingNotice: notice.booking * 60,
      changeNotice: notice.change * 60,
      maxOpenBookings: MAX_OPEN,
      maxOpenBookingsPerDoctor: MAX_OPEN_WITH_ONE,
      waitingOffer: 1800,
    };
  }

  /** The visit of somebody, now: of a patient or a doctor by index. */
  visit(model: Model, by: Booker, { patient = 0, doctor = 0 } = {}): UserVisit {
    const calendar = this.#calendar(model);
    const users = { staff: this.staff, doctor: this.doctorUsers[doctor], patient: this.users[patient] };
    return visitOf(this.db, { calendar, caller: { id: users[by] as number, isStaff: by === 'staff', session: null } });
  }

  /** The visit of a holder, who may be at one of two addresses. */
  holding(model: Model, holder: Holder): Visit {
    const by = byOf(holder);
    const client = `${this.users.join(' ')} at home`;
    if (by === 'anybody') return { ...this.visit(model, 'staff'), caller: null, client };
    return this.visit(model, by, { patient: holder === 'patient 1' ? 1 : 0 });
  }

  /** Reads who still waits, and what they are offered. */
  async readOffers(model: Model): Promise<void> {
    if (model.waits.length === 0) return;
    const rows = await this.db.execute<{
      id: number;
      doctor: number;
      time: number;
      date: string;
      until: Date | null;
    }>(sql`
      select waiting_entries.id::float8, holds.doctor_id::float8 as doctor, holds.available_time_id::float8 as time, holds.date::text,
        holds.expires_at as until
      from waiting_entries left join holds on holds.waiting_entry_id = waiting_entries.id
      where waiting_entries.id in ${model.waits.map(({ id }) => id)}`);
    model.waits = model.waits.filter(({ id }) => rows.some((row) => row.id === id));
    const offered = rows.flatMap(({ id, doctor, time, date, until }): Offer[] => {
      const wait = model.waits.find((each) => each.id === id) as Wait;
      if (until === null) return [];
      const slot = this.slots.indexOf(time);
      return [{ wait, doctor: this.doctors.indexOf(doctor), slot, date, until: new Date(until).getTime() }];
    });
    model.checkOffers(offered);
  }

  /** Offers what has become free of a doctor and is not offered yet, as the server does every few seconds. */
  async offer(model: Model, doctor: number): Promise<void> {
    const id = this.doctors[doctor] as number;
    await transaction(this.db, async (db) => {
      await lockDoctor({ db }, id);
      await offerFreed({ db, calendar: this.#calendar(model) }, id);
    });
  }

  /** The answer of a service, as HTTP would have it. */
  async answer<T>(
    work: Promise<JsonText<T> | T | void>,
  ): Promise<{ status: number; body: T | null; alternatives: unknown }> {
    try {
      const text = await work;
      const body = text instanceof JsonText ? (JSON.parse(text.text) as T) : (text ?? null);
      return { status: 200, body, alternatives: null };
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return { status: error.statusCode, body: null, alternatives: error.members['alternatives'] };
    }
  }
}

/** A step of a history, with a text for the report of a failure. */
class Step implements fc.AsyncCommand<Model, Real> {
  readonly #text: string;
  readonly #run: (model: Model, real: Real) => Promise<void>;

  constructor(name: string, input: unknown, run: (model: Model, real: Real) => Promise<void>) {
    this.#text = `${name} ${JSON.stringify(input)}`;
    this.#run = run;
  }

  check = (): boolean => true;
  run = async (model: Model, real: Real): Promise<void> => {
    model.freed = undefined;
    await this.#run(model, real);
    await real.readOffers(model);
  };
  toString = (): string => this.#text;
}

const appointmentOf = (model: Model, real: Real, { id: _id, ...entry }: Entry) => ({
  patient: real.patients[entry.patient],
  doctor: real.doctors[entry.doctor],
  time: real.slots[entry.slot],
  date: entry.date,
  cancel: entry.isCancelled,
  cancel_reason: entry.reason === null ? null : { code: entry.reason, text: '' },
  attendance: entry.attendance,
  is_overbooked: entry.isOverbooked,
  ...model.shown(entry),
});

/** Compares an answer with what the model expects. */
function compare(
  { model, real, holder }: { model: Model; real: Real; holder: Holder },
  answer: { readonly status: number; readonly alternatives: unknown },
  expected: Outcome,
): void {
  assert.equal(answer.status, expected.status === 201 ? 200 : expected.status);
  if (expected.status !== 409 || expected.doctor === undefined) {
    assert.equal(answer.alternatives ?? null, null);
    return;
  }
  model.count('refused');
  assert.deepEqual(
    answer.alternatives,
    model
      .alternatives(expected.doctor, expected.patient as number, { holder, asked: expected.asked })
      .map((place) => ({ date: place.date, time: real.slots[place.slot], ...model.shown(place) })),
  );
}

async function look(model: Model, real: Real, { doctor, holder }: { doctor: number; holder: Holder }): Promise<void> {
  const query = { from: model.day(-1), to: model.day(HORIZON_DAYS + 1) };
  const params = { id: real.doctors[doctor] as number };
  const read = async () => (await listDoctorAvailability(real.holding(model, holder), { params, query })).text;
  const text = await read();
  try {
    assert.deepEqual(
      (JSON.parse(text) as FreeSlot[]).map(({ time, ...slot }) => ({ ...slot, slot: real.slots.indexOf(time) })),
      model.free(doctor, holder).map((place) => ({ ...place, ...model.shown(place) })),
    );
  } catch (error) {
    // The report of the failure has no room for it.
    process.stderr.write(`${await circumstances(real, { id: params.id, isRepeated: (await read()) === text })}\n`);
    throw error;
  }
}

/**
 * What is stored of a doctor, by an index and without, for the report of a list that is not as it should be: a row that a
 * read missed is another fault than one that is not there.
 */
async function circumstances(
  real: Real,
  { id, isRepeated }: { readonly id: number; readonly isRepeated: boolean },
): Promise<string> {
  const rows = async (without: readonly string[]) =>
    transaction(real.db, async (db) => {
      for (const scan of without) await db.execute(sql.raw(`set local enable_${scan} = off`));
      return [
        ...(await db.execute(sql`
          select id::text, xmin::text, xmax::text, ctid::text, date::text, period::text, available_time_id::text, is_cancelled,
            archived_at::text, updated_at::text, clock_timestamp()::text as now
          from appointments where doctor_id = ${id} order by id`)),
      ];
    });
  const events = await real.db.execute(sql`
    select at::text, operation, action, record_ids::text from audit_events where resource = 'appointments' order by id desc limit 30`);
  const found = {
    isRepeated,
    events: [...events],
    byIndex: await rows(['seqscan']),
    bySequence: await rows(['indexscan', 'bitmapscan']),
  };
  return JSON.stringify(found);
}

/** The same by the search in all doctors, page by page. */
async function search(model: Model, real: Real, { doctor, holder }: { doctor: number; holder: Holder }): Promise<void> {
  const found: unknown[] = [];
  for (let page = 1, next: string | null = ''; next !== null; page++) {
    const query = {
      ...{ from: model.day(-1), to: model.day(HORIZON_DAYS + 1), page, limits: 5 },
      doctor: real.doctors[doctor] as number,
    };
    const { text } = await searchAvailability(real.holding(model, holder), { query });
    const answer = JSON.parse(text) as DoctorSlotPage;
    found.push(...answer.results.map(({ date, time }) => ({ date, slot: real.slots.indexOf(time) })));
    next = answer.next;
  }
  assert.deepEqual(found, model.free(doctor, holder));
}

/** Days on which the database knows that a doctor has nothing free are such days. */
async function checkFullDays(model: Model, real: Real): Promise<void> {
  const rows = await real.db.execute<{ doctor: number; date: string }>(
    sql`select doctor_id::float8 as doctor, date::text from full_days where doctor_id in ${real.doctors}`,
  );
  for (const row of rows) {
    const free = model.free(real.doctors.indexOf(row.doctor), 'staff').filter(({ date }) => date === row.date);
    assert.deepEqual(free, [], `${row.date} is full`);
  }
  model.count('full', rows.length);
}

const one = fc.nat({ max: 1 });
const actor = fc.constantFrom('staff' as const, 'patient' as const);
const bookers = fc.constantFrom<Booker>('staff', 'doctor', 'patient');
const codeOf = { staff: 'clinic', patient: 'patient', doctor: 'doctor' } as const;
const slotArbitrary = fc.nat({ max: SLOTS.length - 1 });
/** Days from today; the first and the last are out of bounds. */
const dayArbitrary = fc.integer({ min: -1, max: HORIZON_DAYS + 1 });
const which = fc.nat({ max: 5 });

interface Booking {
  doctor: number;
  patient: number;
  slot: number;
  day?: number | undefined;
  cancel?: boolean | undefined;
  overbook?: boolean | undefined;
  by: Booker;
}

/** Whether a step with a hold sends what the hold says too, leaves it out, or sends something else. */
type Saying = 'nothing' | 'same' | 'other';

const book = (input: Booking): Step =>
  new Step('book', input, async (model, real) => {
    const { doctor, patient, slot, day, cancel, overbook = false, by } = input;
    const date = day === undefined ? undefined : model.day(day);
    const holder = holderOf(by, { patient, doctor });
    const expected: Outcome =
      by !== 'staff' && overbook !== (by === 'doctor')
        ? { status: 403 }
        : model.take({ doctor, patient, slot, date }, { by, holder, isCancelled: cancel ?? false, overbook });
    const body = {
      doctor: real.doctors[doctor] as number,
      patient: real.patients[patient] as number,
      time: real.slots[slot] as number,
      appointment_type: 'Online' as const,
      symptoms: 'Headache',
      ...(date !== undefined && { date }),
      ...(cancel !== undefined && { cancel }),
      ...(overbook && { overbook }),
    };
    const answer = await real.answer(createAppointment(real.visit(model, by, { patient, doctor }), { body }));
    compare({ model, real, holder }, answer, expected);
    if (expected.status !== 201) return;
    model.release({ doctor, slot, date: expected.date }, holder);
    const id = answer.body?.id as number;
    const [isCancelled, attendance] = [cancel ?? false, null];
    const reason = isCancelled ? codeOf[by] : null;
    const { isOverbooked } = expected;
    const entry = { id, doctor, patient, slot, date: expected.date, isCancelled, reason, attendance, isOverbooked };
    assert.deepEqual({ ...answer.body, ...appointmentOf(model, real, entry) }, answer.body);
    model.entries.push(entry);
    model.count(isOverbooked ? 'overbooked' : 'booked');
  });

/** Overbooks the time of the appointment with an index. */
const pile = (input: { index: number; patient: number; by: Booker }): Step =>
  new Step('pile', input, async (model, real) => {
    const { patient, by } = input;
    const entry = model.entries[input.index % model.entries.length];
    if (entry === undefined) return;
    const day = (Date.parse(entry.date) - Date.parse(model.day(0))) / DAY;
    await book({ doctor: entry.doctor, patient, slot: entry.slot, day, overbook: true, by }).run(model, real);
  });

type Patch = Partial<Booking> & { index: number; by: Booker };

/** A change of the appointment with an index; `isPut` sends what is left out, but for the date, as it is. */
const change = ({ isPut, ...input }: Patch & { isPut: boolean }): Step =>
  new Step(isPut ? 'put' : 'patch', input, async (model, real) => {
    const entry = model.entries[input.index % model.entries.length];
    if (entry === undefined) return;
    const { doctor = entry.doctor, patient = entry.patient, slot = entry.slot } = input;
    const isOtherSlot = doctor !== entry.doctor || patient !== entry.patient || slot !== entry.slot;
    const given = input.day === undefined ? undefined : model.day(input.day);
    const isCancelled = input.cancel ?? (isPut ? false : entry.isCancelled);
    const { by, overbook = false } = input;
    const date = given ?? (isPut && isOtherSlot && !overbook ? undefined : entry.date);
    const isTaking = isOtherSlot || date !== entry.date || (entry.isCancelled && !isCancelled);
    const holder = holderOf(by, entry);
    const isKept = entry.attendance !== null && (isCancelled || isOtherSlot || date !== entry.date);
    const expected: Outcome =
      overbook && by === 'patient'
        ? { status: 403 }
        : isKept || !model.isOpen(entry, by)
          ? { status: 409 }
          : isTaking
            ? model.take({ doctor, patient, slot, date }, { by, holder, isCancelled, overbook, except: entry })
            : { status: 200, date: entry.date, isOverbooked: entry.isOverbooked };

    const sent = {
      ...((isPut || input.doctor !== undefined) && { doctor: real.doctors[doctor] as number }),
      ...((isPut || input.patient !== undefined) && { patient: real.patients[patient] as number }),
      ...((isPut || input.slot !== undefined) && { time: real.slots[slot] as number }),
      ...(given !== undefined && { date: given }),
      ...(input.cancel !== undefined && { cancel: input.cancel }),
      ...(input.overbook !== undefined && { overbook }),
    };
    const visit = real.visit(model, by, entry);
    const params = { id: entry.id };
    const whole = { appointment_type: 'Offline' as const, symptoms: 'Better', ...(sent as Required<typeof sent>) };
    const answer = await real.answer(
      isPut ? replaceAppointment(visit, { params, body: whole }) : updateAppointment(visit, { params, body: sent }),
    );
    compare({ model, real, holder }, answer, expected);
    if (expected.status !== 200 && expected.status !== 201) return;
    if (isTaking) {
      model.release({ doctor, slot, date: expected.date }, holder);
      model.count('moved');
    }
    const reason = isCancelled ? (entry.reason ?? codeOf[by]) : null;
    const { isOverbooked } = expected;
    if (!entry.isCancelled && (isTaking || isCancelled)) model.freed = { ...entry };
    Object.assign(entry, { doctor, patient, slot, date: expected.date, isCancelled, reason, isOverbooked });
    assert.deepEqual({ ...answer.body, ...appointmentOf(model, real, entry) }, answer.body);
  });

const hold = (input: {
  holder: Holder;
  doctor: number;
  slot: number;
  day: number | undefined;
  minutes: number;
}): Step =>
  new Step('hold', input, async (model, real) => {
    const { holder, doctor, slot, day, minutes } = input;
    const date = day === undefined ? undefined : model.day(day);
    const expected = model.hold({ doctor, slot, date }, holder);
    const body = {
      doctor: real.doctors[doctor] as number,
      time: real.slots[slot] as number,
      minutes,
      ...(date !== undefined && { date }),
    };
    const answer = await real.answer<Hold>(createHold(real.holding(model, holder), { body }));
    compare({ model, real, holder }, answer, expected);
    if (expected.status !== 201) return;
    const until = model.now + minutes * MINUTE;
    const token = answer.body?.token as string;
    const place = { slot, date: expected.date };
    assert.deepEqual(answer.body, {
      ...{ token, doctor: body.doctor, time: body.time, date: place.date, ...model.shown(place) },
      expires_at: new Date(until).toISOString(),
    });
    model.release({ doctor, ...place }, holder);
    model.holds.push({ token, holder, doctor, ...place, until });
    model.count('held');
  });

const release = (index: number): Step =>
  new Step('release', index, async (model, real) => {
    const held = model.holds[index % model.holds.length];
    if (held === undefined) return;
    const isLive = held.until > model.now;
    const { status } = await real.answer(deleteHold(real.holding(model, 'anybody'), { params: { token: held.token } }));
    assert.equal(status, isLive ? 200 : 404);
    if (!isLive) return;
    model.holds = model.holds.filter((other) => other !== held);
    model.freed = held;
  });

/** Books with the token of a hold, whoever has made it, or moves an appointment to it. */
const redeem = (input: {
  index: number;
  saying: Saying;
  patient: number;
  by: 'staff' | 'patient';
  moves: number | null;
}): Step =>
  new Step('redeem', input, async (model, real) => {
    const { index, saying, patient, by, moves } = input;
    const held = model.holds[index % model.holds.length];
    const moved = moves === null ? undefined : model.entries[moves % model.entries.length];
    if (held === undefined || (moves !== null && moved === undefined)) return;
    const { doctor, slot, date } = held;
    const whose = moved?.patient ?? patient;
    const holder = holderOf(by, { patient: whose, doctor });
    const isSame = moved?.doctor === doctor && moved.slot === slot && moved.date === date;
    const isCancelled = moved?.isCancelled ?? false;
    const isLive = held.until > model.now;
    const place = { doctor, slot, date, patient: whose };
    const expected: Outcome =
      !isLive || saying === 'other'
        ? { status: 400 }
        : moved !== undefined && (!model.isOpen(moved, by) || (moved.attendance !== null && !isSame))
          ? { status: 409 }
          : isSame
            ? { status: 200, date, isOverbooked: moved.isOverbooked }
            : model.take(place, { by, holder, isCancelled, overbook: false, except: moved, hold: held });
    const said = {
      doctor: real.doctors[doctor] as number,
      time: real.slots[(slot + (saying === 'other' ? 1 : 0)) % SLOTS.length] as number,
      date,
    };
    const body = { hold: held.token, ...(saying !== 'nothing' && said) };
    const visit = real.visit(model, by, { patient: whose });
    const details = {
      appointment_type: 'Online' as const,
      symptoms: 'Headache',
      patient: real.patients[patient] as number,
    };
    const answer = await real.answer(
      moved === undefined
        ? createAppointment(visit, { body: { ...details, ...body } })
        : updateAppointment(visit, { params: { id: moved.id }, body }),
    );
    compare({ model, real, holder }, answer, expected);
    if (expected.status !== 200 && expected.status !== 201) return;
    if (!isSame) {
      model.release(place, holder, held);
      model.count('redeemed');
    }
    const id = answer.body?.id as number;
    const { isOverbooked } = expected;
    const entry = moved ?? { id, ...place, isCancelled, reason: null, attendance: null, isOverbooked };
    Object.assign(entry, { doctor, slot, date, isOverbooked });
    assert.deepEqual({ ...answer.body, ...appointmentOf(model, real, entry) }, answer.body);
    if (moved === undefined) model.entries.push(entry);
  });

const join = (input: { patient: number; doctor: number; days: [number, number]; slots: readonly number[] }): Step =>
  new Step('join', input, async (model, real) => {
    const { patient, doctor, days, slots } = input;
    const [from, to] = days.map((day) => model.day(day)) as [string, string];
    const times = slots.map((slot) => real.slots[slot] as number);
    const body = { doctor: real.doctors[doctor] as number, from, to, times };
    const answer = await real.answer<WaitingEntry>(
      createWaitingEntry(real.visit(model, 'patient', { patient }), { body }),
    );
    const waitsAlready = model.waits.some((wait) => wait.patient === patient && wait.doctor === doctor);
    assert.equal(answer.status, waitsAlready ? 409 : 200);
    if (waitsAlready) return;
    const id = answer.body?.id as number;
    model.waits.push({ id, patient, doctor, from, to, slots, seen: new Set() });
  });

/** Declines what is offered, or leaves the list. */
const withdraw = (input: { index: number; leaves: boolean }): Step =>
  new Step('withdraw', input, async (model, real) => {
    const wait = model.waits[input.index % model.waits.length];
    if (wait === undefined) return;
    const offer = model.offered.find((each) => each.wait === wait && each.until > model.now);
    const visit = real.visit(model, 'patient', wait);
    const request = { params: { id: wait.id } };
    const { status } = await real.answer(
      input.leaves ? deleteWaitingEntry(visit, request) : declineOffer(visit, request),
    );
    assert.equal(status, input.leaves || offer !== undefined ? 200 : 404);
    model.freed = offer;
  });

const archive = (input: { index: number; by: 'staff' | 'patient' }): Step =>
  new Step('archive', input, async (model, real) => {
    const entry = model.entries[input.index % model.entries.length];
    if (entry === undefined) return;
    const send = async () =>
      (await real.answer(deleteAppointment(real.visit(model, input.by, entry), { params: { id: entry.id } }))).status;
    const isOpen = model.isOpen(entry, input.by);
    assert.equal(await send(), isOpen ? 200 : 409);
    if (!isOpen) return;
    assert.equal(await send(), 404);
    model.entries = model.entries.filter((other) => other !== entry);
    if (!entry.isCancelled) model.freed = entry;
  });

/** Notes whether the patient came; by the patient, tries to. */
const note = (input: { index: number; by: 'staff' | 'patient'; mark: Mark }): Step =>
  new Step('note', input, async (model, real) => {
    const { by, mark } = input;
    const entry = model.entries[input.index % model.entries.length];
    if (entry === undefined) return;
    const isNew = mark !== entry.attendance;
    const isRight =
      mark === null ||
      (!entry.isCancelled && (mark === 'no_show' ? model.hasBegun(entry) : entry.date <= model.day(0)));
    const answer = await real.answer(
      updateAppointment(real.visit(model, by, entry), {
        params: { id: entry.id },
        body: { attendance: mark },
      }),
    );
    if (by === 'patient') assert.equal(answer.status, isNew ? 403 : model.isOpen(entry, by) ? 200 : 409);
    else assert.equal(answer.status, !isNew || isRight ? 200 : 409);
    if (answer.status !== 200) return;
    entry.attendance = mark;
    assert.deepEqual({ ...answer.body, ...appointmentOf(model, real, entry) }, answer.body);
  });

const offer = (doctor: number, slots: number[]): Step =>
  new Step('offer', { doctor, slots }, async (model, real) => {
    const available_time = slots.map((slot) => real.slots[slot] as number);
    await updateDoctor(visitOf(real.db), {
      params: { id: real.doctors[doctor] as number },
      body: { available_time },
    });
    model.offers[doctor] = new Set(slots);
    for (const shift of model.hours[doctor] ?? []) shift.slots = shift.slots.filter((slot) => slots.includes(slot));
  });

/** The answer of what displaces appointments: its status, and which it has found. */
async function displacing(
  work: Promise<unknown>,
): Promise<{ status: number; id: number | null; displaced: number | null; ids: number[] | null }> {
  const read = (status: number, answer: unknown) => {
    const { id, displaced, appointments } = answer as { id?: number; displaced?: number; appointments?: Entry[] };
    const ids = appointments?.map(({ id }) => id).sort((a, b) => a - b);
    return { status, id: id ?? null, displaced: displaced ?? null, ids: ids ?? null };
  };
  try {
    const answer = await work;
    if (answer instanceof DryRun) return read(200, answer.answer);
    return read(200, answer instanceof JsonText ? JSON.parse(answer.text) : answer);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return read(error.statusCode, error.members);
  }
}

interface Displacement {
  readonly displace: Displace;
  readonly isDry: boolean;
}

/** Does with the appointments in the way what is asked for; returns whether anything is stored. */
function displaceAll(
  model: Model,
  { found, answer }: { found: readonly Entry[]; answer: Awaited<ReturnType<typeof displacing>> },
  { displace, isDry }: Displacement,
): boolean {
  const isRefused = !isDry && displace === 'refuse' && found.length > 0;
  assert.equal(answer.status, isRefused ? 409 : 200);
  assert.equal(answer.displaced, found.length);
  assert.deepEqual(
    answer.ids,
    found.map(({ id }) => id).sort((a, b) => a - b),
  );
  if (isDry || isRefused) return false;
  if (displace === 'cancel') {
    model.count('displaced', found.length);
    for (const entry of found) Object.assign(entry, { isCancelled: true, reason: 'doctor', attendance: null });
  }
  return true;
}

/** Leave that begins tomorrow at the soonest, so that what stands in it is to come. */
const takeLeave = (
  input: Displacement & { doctor: number; day: number; days: number; part: readonly [number, number] | null },
): Step =>
  new Step('leave', input, async (model, real) => {
    const { doctor, part } = input;
    const [first, last] = [model.day(input.day), model.day(input.day + input.days - 1)];
    const [from, to] = part === null ? [first, last] : part.map((minute) => model.clocks.moment(first, minute));
    if (from === undefined || to === undefined || from === null || to === null || (part !== null && to <= from)) return;
    const wire = (bound: string | number) => (typeof bound === 'string' ? bound : new Date(bound).toISOString());
    const found = model.entries.filter(
      (entry) => entry.doctor === doctor && !entry.isCancelled && model.takes({ from, to }, entry.slot, entry.date),
    );
    const answer = await displacing(
      createTimeOff(real.visit(model, 'staff'), {
        query: { dry_run: input.isDry },
        body: { doctor: real.doctors[doctor] as number, from: wire(from), to: wire(to), displace: input.displace },
      }),
    );
    if (displaceAll(model, { found, answer }, input)) model.leaves.push({ id: answer.id as number, doctor, from, to });
  });

const endLeave = (index: number): Step =>
  new Step('end leave', index, async (model, real) => {
    const leave = model.leaves[index % model.leaves.length];
    if (leave === undefined) return;
    await deleteTimeOff(real.visit(model, 'staff'), { params: { id: leave.id } });
    model.leaves = model.leaves.filter((other) => other !== leave);
  });

type ShiftInput = Omit<Shift, 'startsOn' | 'endsOn'> & { start: number; end: number | null };

const setHours = (input: Displacement & { doctor: number; shifts: readonly ShiftInput[] }): Step =>
  new Step('hours', input, async (model, real) => {
    const { doctor, shifts, displace } = input;
    const hours = shifts.map(({ start, end, ...shift }) => ({
      ...shift,
      startsOn: model.day(start),
      endsOn: end === null ? null : model.day(start + end),
    }));
    const answer = await displacing(
      replaceDoctorHours(real.visit(model, 'staff'), {
        params: { id: real.doctors[doctor] as number },
        query: { dry_run: input.isDry },
        body: {
          hours: hours.map(({ weekday, slots, everyWeeks, startsOn, endsOn }) => ({
            weekday,
            times: slots.map((slot) => real.slots[slot] as number),
            every_weeks: everyWeeks,
            starting: startsOn,
            until: endsOn,
          })),
          displace,
        },
      }),
    );
    if (hours.some(({ slots }) => slots.some((slot) => model.offers[doctor]?.has(slot) !== true))) {
      assert.equal(answer.status, 400);
      return;
    }
    const before = model.hours[doctor] ?? [];
    const found = model.entries.filter(
      (entry) =>
        entry.doctor === doctor &&
        !entry.isCancelled &&
        model.isUpcoming(entry) &&
        model.isWorked(entry.slot, entry.date, before) &&
        !model.isWorked(entry.slot, entry.date, hours),
    );
    if (displaceAll(model, { found, answer }, input)) model.hours[doctor as 0 | 1] = hours;
  });

const wait = (minutes: number): Step =>
  new Step('wait', minutes, async (model) => {
    model.now += minutes * MINUTE;
  });

const booking = fc.record({ doctor: one, patient: one, slot: slotArbitrary, by: actor });
const dated = fc.record({ doctor: one, patient: one, slot: slotArbitrary, day: dayArbitrary, by: actor });
const patch = fc.record(
  {
    index: which,
    isPut: fc.boolean(),
    doctor: one,
    patient: one,
    slot: slotArbitrary,
    day: dayArbitrary,
    cancel: fc.boolean(),
    overbook: fc.boolean(),
    by: fc.constant('staff' as const),
  },
  { requiredKeys: ['index', 'isPut', 'by'] },
);
/** Neither gives a doctor anything to others. */
const doctorsPatch = fc.record(
  {
    index: which,
    isPut: fc.boolean(),
    slot: slotArbitrary,
    day: dayArbitrary,
    cancel: fc.boolean(),
    overbook: fc.boolean(),
    by: fc.constant('doctor' as const),
  },
  { requiredKeys: ['index', 'isPut', 'by'] },
);
/** A patient gives nothing to another one. */
const ownPatch = fc.record(
  {
    index: which,
    isPut: fc.boolean(),
    doctor: one,
    slot: slotArbitrary,
    day: dayArbitrary,
    cancel: fc.boolean(),
    overbook: fc.integer({ min: 0, max: 7 }).map((lot) => lot === 0),
    by: fc.constant('patient' as const),
  },
  { requiredKeys: ['index', 'isPut', 'by'] },
);
/** From one day to another, in days from today. */
const span = fc
  .uniqueArray(fc.integer({ min: 0, max: HORIZON_DAYS }), { minLength: 2, maxLength: 2 })
  .map((days) => days.sort((a, b) => a - b) as [number, number]);
const mark = fc.constantFrom('arrived' as const, 'no_show' as const, null);

const displacement = {
  displace: fc.constantFrom<Displace>('refuse', 'cancel', 'keep'),
  isDry: fc.integer({ min: 0, max: 4 }).map((lot) => lot === 0),
};
/** Of a day, in minutes, by the quarter. */
const part = fc
  .uniqueArray(fc.integer({ min: 0, max: 96 }), { minLength: 2, maxLength: 2 })
  .map((quarters) => quarters.sort((a, b) => a - b).map((quarter) => quarter * 15) as [number, number]);
const leave = fc.record({
  ...{ ...displacement, doctor: one, part: fc.option(part) },
  day: fc.integer({ min: 1, max: HORIZON_DAYS }),
  days: fc.integer({ min: 1, max: 2 }),
});
const shift = fc.record({
  weekday: fc.integer({ min: 1, max: 7 }),
  slots: fc.uniqueArray(slotArbitrary, { minLength: 1 }),
  everyWeeks: fc.integer({ min: 1, max: 2 }),
  start: fc.integer({ min: -8, max: 2 }),
  end: fc.option(fc.nat({ max: 9 })),
});

const holders = fc.constantFrom<Holder>('staff', 'patient 0', 'patient 1', 'anybody');
const holding = fc.record({
  holder: holders,
  doctor: one,
  slot: slotArbitrary,
  day: fc.option(dayArbitrary, { nil: undefined }),
  minutes: fc.integer({ min: 1, max: 15 }),
});
const redemption = fc.record({
  index: which,
  saying: fc.constantFrom<Saying>('nothing', 'nothing', 'same', 'other'),
  patient: one,
  by: actor,
  moves: fc.option(which, { freq: 3 }),
});

const steps = fc.commands(
  [
    dated.map(book),
    dated.map(book),
    dated.map(book),
    booking.map(book),
    booking.map(book),
    fc
      .record({ doctor: one, patient: one, slot: slotArbitrary, day: dayArbitrary, cancel: fc.boolean(), by: actor })
      .map(book),
    fc
      .record(
        { doctor: one, patient: one, slot: slotArbitrary, day: dayArbitrary, overbook: fc.boolean(), by: bookers },
        { requiredKeys: ['doctor', 'patient', 'slot', 'overbook', 'by'] },
      )
      .map(book),
    fc.record({ index: which, patient: one, by: fc.constantFrom<Booker>('staff', 'doctor') }).map(pile),
    patch.map(change),
    doctorsPatch.map(change),
    ownPatch.map(change),
    fc.record({ index: which, day: dayArbitrary, by: actor }).map((input) => change({ ...input, isPut: false })),
    fc.record({ index: which, by: actor }).map((input) => change({ ...input, cancel: true, isPut: false })),
    fc.record({ index: which, by: actor }).map((input) => change({ ...input, cancel: false, isPut: false })),
    fc.record({ index: which, by: actor }).map(archive),
    fc.record({ index: which, by: actor, mark }).map(note),
    fc.record({ index: which, by: fc.constant('staff' as const), mark }).map(note),
    fc.tuple(one, fc.uniqueArray(slotArbitrary)).map(([doctor, slots]) => offer(doctor, slots)),
    // With so few slots a day is full soon.
    fc.tuple(one, slotArbitrary).map(([doctor, slot]) => offer(doctor, [slot])),
    leave.map(takeLeave),
    which.map(endLeave),
    fc.record({ ...displacement, doctor: one, shifts: fc.array(shift, { maxLength: 6 }) }).map(setHours),
    fc.integer({ min: 1, max: 1500 }).map(wait),
    fc.integer({ min: 1, max: 6 }).map(wait),
    holding.map(hold),
    holding.map(hold),
    holding.map(hold),
    which.map(release),
    fc
      .record({ patient: one, doctor: one, days: span, slots: fc.uniqueArray(slotArbitrary, { maxLength: 3 }) })
      .map(join),
    fc.record({ patient: one, doctor: one, days: span, slots: fc.constant([]) }).map(join),
    fc.record({ index: which, leaves: fc.boolean() }).map(withdraw),
    one.map((doctor) => new Step('offer', doctor, (model, real) => real.offer(model, doctor))),
    redemption.map(redeem),
    redemption.map(redeem),
    fc
      .record({ doctor: one, holder: holders })
      .map((input) => new Step('look', input, (model, real) => look(model, real, input))),
  ],
  // So many that a history has two appointments on the average: most of what is tried is refused.
  { maxCommands: 24, size: 'max' },
);

const seen: Model['seen'] = new Map();

for (const [zone, firstDays, histories, settings] of [
  // In so small a database PostgreSQL plans most statements anew each time, which takes longer than they do. These go by the
  // plans for all values, which are those that are kept in a large one; the others go by whichever it chooses.
  ['UTC', ['2026-03-02'], 2000, '-c plan_cache_mode=force_generic_plan'],
  // The days before the clocks go forward, and back.
  ['Europe/Berlin', ['2026-03-27', '2026-10-23'], 500, ''],
] as const) {
  t.test(`${histories} histories, ${zone}`, async (t) => {
    const { database } = await openTestDatabase(t, { settings });
    const { db } = database;
    await db.execute(`insert into users (username, email, password_hash) values ('staff', 'staff@example.com', '')`);
    const slots: number[] = [];
    for (const { label } of SLOTS) slots.push((await createAvailableTime(visitOf(db), { body: { time: label } })).id);
    const clocks = new Clocks(zone);
    const clinics = await makeClinics(db, histories);
    const history = fc.asyncProperty(
      fc.constantFrom(...firstDays),
      fc.nat({ max: 1439 }),
      fc.constantFrom({ booking: 0, change: 0 }, { booking: 180, change: 1500 }, { booking: 1500, change: 90 }),
      steps,
      async (firstDay, minute, notice, commands) => {
        // Each history has a clinic of its own, so that none meets what another has left; so has each try to shorten one.
        const ids = clinics.pop() ?? (await makeClinics(db, 1))[0];
        const real = new Real(db, clocks, slots, ids as Ids);
        const model = new Model(clocks, { now: Date.parse(firstDay) + minute * MINUTE, notice, seen });
        await fc.asyncModelRun(() => ({ model, real }), commands);
        for (const holder of ['staff', 'patient 0', 'patient 1', 'anybody'] as const) {
          await look(model, real, { doctor: minute % 2, holder });
        }
        await search(model, real, { doctor: minute % 2, holder: minute % 3 > 0 ? 'patient 0' : 'staff' });
        await checkFullDays(model, real);
        model.assertNoOverlap();
      },
    );
    await Promise.all(
      Array.from({ length: WORKERS }, () => fc.assert(history, { numRuns: histories / WORKERS, maxSkipsPerRun: 0 })),
    );
    const overlaps = await db.execute(`
      select a.id, b.id from appointments a join appointments b on a.id < b.id
      and (a.patient_id = b.patient_id or a.doctor_id = b.doctor_id and not a.is_overbooked and not b.is_overbooked)
      and not a.is_cancelled and not b.is_cancelled and a.archived_at is null and b.archived_at is null
      and (a.period && b.period or a.date = b.date and a.available_time_id = b.available_time_id)`);
    t.strictSame([...overlaps], []);
  });
}

t.test('all that is looked for comes about in the histories', async (t) => {
  t.comment(JSON.stringify(Object.fromEntries(seen)));
  // Each does some hundred times: what happens less than ten has not been rare by chance.
  for (const event of EVENTS) t.ok((seen.get(event) ?? 0) >= 10, `${event}: ${seen.get(event)}`);
});
