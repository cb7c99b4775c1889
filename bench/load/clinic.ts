/** What a clinic asks of the server all day, and what it remembers of the answers. */
import { randomUUID } from 'node:crypto';
import sharp from 'sharp';
import type { Answer, Call } from '../../test/helpers/ask.js';
import { headersOf, type Caller } from '../callers.js';
import { LAST_DAY, offeredSlot, SLOTS_PER_DOCTOR, staffId, type Shape } from '../data.js';
import { day, sample } from '../endpoints.js';
import { turns } from './turns.js';

/** An appointment as it was acknowledged last. */
export interface Booking {
  readonly id: number;
  readonly caller: Caller;
  symptoms: string;
  isCancelled: boolean;
  /** Whether no change is under way, or has had another answer than it should. */
  isKnown: boolean;
}

/** A request with what has to come of it. */
export interface Request {
  readonly kind: string;
  readonly call: Call;
  readonly status: number;
  /** Takes notice of that answer. */
  readonly learn?: (answer: Answer) => void;
}

/** Somebody who signs in by a password. */
interface User {
  readonly username: string;
  readonly patient: number;
  refresh: string;
  access: string;
  /** The path of the picture, where none is on its way. */
  picture: string | undefined;
}

export interface Clinic {
  readonly bookings: readonly Booking[];
  next(): Request;
}

type Ask = (call: Call) => Promise<Answer>;

const PASSWORD = 'plum-Tractor-91';
/** So few that the users of the data are still as many to a doctor as they were. */
const USERS = 5;

const post = (path: string, body: object): Call => ({ method: 'POST', path, body });
const parsed = <T>({ text }: Answer): T => JSON.parse(text) as T;

/** Signs users in, and up unless that was done in another run. */
async function signIn(ask: Ask): Promise<User[]> {
  const users: User[] = [];
  for (let n = 1; n <= USERS; n++) {
    const username = `bench.load${n}`;
    const known = { username, password: PASSWORD };
    const signUp = { ...known, email: `${username}@example.com`, confirm_password: PASSWORD };
    await ask(post('/api/user/register/', signUp));
    const answer = await ask(post('/api/user/login/', known));
    if (answer.status !== 200) throw new Error(`a login was answered with ${answer.status}: ${answer.text}`);
    const tokens = parsed<{ refresh: string; access: string }>(answer);
    const patient = parsed<{ id: number }>(await ask({ path: '/patients/me/', token: tokens.access })).id;
    users.push({ username, patient, picture: undefined, ...tokens });
  }
  return users;
}

async function pictureForm(): Promise<NonNullable<Call['form']>> {
  const noise = { type: 'gaussian', mean: 128, sigma: 20 } as const;
  const photo = sharp({ create: { width: 1600, height: 1200, channels: 3, background: 'grey', noise } });
  const form = new FormData();
  form.set('profile', new Blob([new Uint8Array(await photo.jpeg({ quality: 70 }).toBuffer())]), 'portrait.jpg');
  const encoded = new Response(form);
  const type = encoded.headers.get('content-type') as string;
  return { type, bytes: Buffer.from(await encoded.arrayBuffer()) };
}

/**
 * The n-th of the slots that nobody has, with a patient for it. The patients take one after the other, each on the same
 * day and all of them on another day in the next round: so nobody is booked twice at a time, and a patient has few
 * upcoming appointments, with several doctors.
 */
export function freeSlot({ doctors }: Pick<Shape, 'doctors'>, patients: readonly number[], n: number) {
  const round = Math.floor(n / patients.length);
  const at = n % patients.length;
  const doctor = 1 + ((at + round) % doctors);
  return {
    doctor,
    time: offeredSlot(doctor, Math.floor(at / doctors) % SLOTS_PER_DOCTOR),
    date: day(LAST_DAY + 1 + round),
    patient: patients[at] as number,
  };
}

const picked = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;

/** @param patients those who have no appointment, and book */
export async function openClinic(ask: Ask, shape: Shape, patients: readonly number[]): Promise<Clinic> {
  if (patients.length < 100 || patients.length > shape.doctors * SLOTS_PER_DOCTOR) {
    throw new Error('a hundred patients without an appointment are needed: fewer --appointments for the --doctors');
  }
  const staff = staffId(shape);
  const ids = sample(shape);
  const pages = Math.ceil(shape.doctors / 20);
  const users = await signIn(ask);
  const form = await pictureForm();
  const bookings: Booking[] = [];
  /** Those to which something is still to be done, of which nothing is under way. */
  const booked: Booking[] = [];
  const changed: Booking[] = [];
  const by = (caller: Caller, call: Call): Call => ({
    ...call,
    headers: { ...call.headers, ...headersOf(caller, 'product', staff) },
  });
  const read = (kind: string, path: string, caller?: Caller): Request => ({
    ...{ kind, status: 200 },
    call: by(caller, { path }),
  });
  let made = 0;
  let uploaded = 0;

  function book(): Request {
    const n = made++;
    const slot = freeSlot(shape, patients, n);
    const caller = n % 5 < 2 ? 'staff' : slot.patient;
    const symptoms = `A cough that does not go away, of ${randomUUID()}`;
    const headers = { 'idempotency-key': randomUUID() };
    return {
      ...{ kind: 'book', status: 201 },
      call: by(caller, { ...post('/appointments/', { ...slot, appointment_type: 'Online', symptoms }), headers }),
      learn: (answer) => {
        const booking: Booking = {
          id: parsed<{ id: number }>(answer).id,
          caller,
          symptoms,
          isCancelled: false,
          isKnown: true,
        };
        bookings.push(booking);
        booked.push(booking);
      },
    };
  }

  function change(): Request {
    const booking = booked.shift();
    if (booking === undefined) return book();
    const symptoms = `${booking.symptoms}, and fever`;
    booking.isKnown = false;
    return {
      ...{ kind: 'change a booking', status: 200 },
      call: by(booking.caller, { method: 'PATCH', path: `/appointments/${booking.id}/`, body: { symptoms } }),
      learn: () => {
        Object.assign(booking, { symptoms, isKnown: true });
        changed.push(booking);
      },
    };
  }

  function cancel(): Request {
    const booking = changed.shift() ?? booked.shift();
    if (booking === undefined) return book();
    booking.isKnown = false;
    return {
      ...{ kind: 'cancel a booking', status: 200 },
      call: by(booking.caller, { method: 'PATCH', path: `/appointments/${booking.id}/`, body: { cancel: true } }),
      learn: () => Object.assign(booking, { isCancelled: true, isKnown: true }),
    };
  }

  function logIn(n: number): Request {
    const user = picked(users, n);
    return {
      ...{ kind: 'log in', status: 200 },
      call: post('/api/user/login/', { username: user.username, password: PASSWORD }),
      learn: (answer) => Object.assign(user, parsed<Pick<User, 'refresh' | 'access'>>(answer)),
    };
  }

  function refresh(n: number): Request {
    const user = picked(users, n);
    return {
      ...{ kind: 'refresh a token', status: 200 },
      call: post('/api/user/token/refresh/', { refresh: user.refresh }),
      learn: (answer) => (user.access = parsed<{ access: string }>(answer).access),
    };
  }

  function review(n: number): Request {
    const body = { doctor: picked(ids.doctors, n), body: 'Took the time to explain everything.', rating: '⭐⭐⭐⭐' };
    return { kind: 'write a review', status: 201, call: by(picked(patients, n), post('/reviews/', body)) };
  }

  function upload(): Request {
    const user = picked(users, uploaded++);
    user.picture = undefined;
    return {
      ...{ kind: 'upload a picture', status: 200 },
      call: { method: 'PATCH', path: `/patients/${user.patient}/`, token: user.access, form },
      learn: (answer) => {
        const { pathname, search } = new URL(parsed<{ profile: string }>(answer).profile);
        user.picture = pathname + search;
      },
    };
  }

  /** Of the one who waits longest for the next. */
  function readPicture(): Request {
    const paths = users.map((_, back) => picked(users, uploaded + USERS - 1 - back).picture);
    const path = paths.find((picture) => picture !== undefined);
    return path === undefined ? upload() : read('a picture', path);
  }

  /** Of the other instance, as often as not. */
  function readBooking(n: number): Request {
    const booking = bookings.at(-1 - (n % 10));
    return booking === undefined
      ? read('an appointment', `/appointments/${picked(ids.appointments, n)}/`, 'staff')
      : read('a new appointment', `/appointments/${booking.id}/`, booking.caller);
  }

  /** Each with how often of a thousand. */
  const everything: readonly (readonly [number, (n: number) => Request])[] = [
    [120, (n) => read("doctors' pages", `/doctors/?limits=20&page=${1 + (n % pages)}`)],
    [148, (n) => read('a doctor', `/doctors/${picked(ids.doctors, n)}/`)],
    [120, (n) => read("a doctor's free slots", `/doctors/${picked(ids.busyDoctors, n)}/availability/`)],
    [80, (n) => read("a doctor's reviews", `/reviews/?limits=20&doctor=${picked(ids.doctors, n)}`)],
    [30, () => read('services', '/services/')],
    [20, (n) => read('a service', `/services/${1 + (n % 20)}/`)],
    [60, (n) => read("a day's appointments", `/appointments/?limits=50&date=${day(n % 14)}`, 'staff')],
    [
      60,
      (n) =>
        read("a doctor's appointments", `/appointments/?limits=50&doctor_id=${picked(ids.busyDoctors, n)}`, 'staff'),
    ],
    [100, (n) => read('an appointment', `/appointments/${picked(ids.appointments, n)}/`, 'staff')],
    [40, (n) => read('a patient', `/patients/${picked(ids.people, n)}/`, 'staff')],
    [70, (n) => read("a patient's appointments", '/appointments/', picked(ids.busyPatients, n))],
    [40, readBooking],
    [2, readPicture],
    [50, book],
    [15, change],
    [25, cancel],
    [4, logIn],
    [10, refresh],
    [4, review],
    [2, upload],
  ];
  const order = turns(everything.map(([weight]) => weight));
  const counts = everything.map(() => 0);
  return {
    bookings,
    next: () => {
      const kind = order.next().value;
      const count = counts[kind] ?? 0;
      counts[kind] = count + 1;
      return (everything[kind] as (typeof everything)[number])[1](count);
    },
  };
}
