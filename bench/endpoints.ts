/** What is measured, and what has to come out of it. */
import type { Sql } from 'postgres';
import type { Caller } from './callers.js';
import { APPOINTMENTS_PER_DOCTOR, freeSlots, type FreeSlot, type Shape } from './data.js';

export interface Call {
  readonly path: string;
  readonly caller?: Caller;
  /** What is posted there. */
  readonly body?: object;
}

/** Of what answers fast enough: a share of the floor's throughput, or milliseconds and answers a second without a floor. */
export type Target = { readonly ratio: number } | { readonly p99: number; readonly perSecond?: number };

export interface Endpoint {
  readonly name: string;
  /** Asked for in turn. */
  readonly calls: readonly Call[];
  readonly target: Target;
}

const LIST = { ratio: 1 };
const RECORD = { ratio: 0.9 };
const BOOKING = { ratio: 0.8 };

export const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

export const day = (fromToday: number): string =>
  new Date(Date.now() + fromToday * 86_400_000).toISOString().slice(0, 10);

/** Some ids of what there is, far apart: up to 100 from one on. */
const some = (first: number, count: number): number[] =>
  numbers(Math.min(count, 100)).map((n) => first + ((n * 37) % count));

/** Ids of the data by what they are measured for. */
export function sample({ doctors, appointments }: Shape) {
  const busyDoctors = appointments / APPOINTMENTS_PER_DOCTOR;
  return {
    doctors: some(1, doctors),
    /** Doctors who have appointments; each has the same id as a user. */
    busyDoctors: some(1, busyDoctors),
    /** The same of patients. */
    busyPatients: some(doctors + 1, busyDoctors * 9),
    /** The second half is of today and later, and none of it is archived. */
    appointments: some(appointments / 2 + 1, appointments / 2 - 1),
    reviews: some(1, doctors * 50),
    people: some(1, doctors * 9),
  };
}

const to = (paths: readonly string[], caller?: Caller): Call[] => paths.map((path) => ({ path, caller }));
const staff = (...paths: string[]): Call[] => to(paths, 'staff');

/** A call of a patient for each free slot. */
export const bookings = (slots: readonly FreeSlot[], isDated: boolean): Call[] =>
  slots.map(({ doctor, time, date, patient }) => ({
    path: '/appointments/',
    // The first users are all people, and have the ids of their patient records.
    caller: patient,
    body: {
      ...{ doctor, time, patient, appointment_type: 'Online', symptoms: 'A cough that does not go away' },
      ...(isDated && { date }),
    },
  }));

/** @param sql finds the slots that are free */
export async function endpoints(sql: Sql, shape: Shape): Promise<Endpoint[]> {
  const ids = sample(shape);
  const free = await freeSlots(sql, shape, 20_000);
  return [
    // Doctors
    { name: 'GET /doctors/', calls: to(['/doctors/']), target: LIST },
    {
      name: 'GET /doctors/?page=',
      calls: to(numbers(10).map((page) => `/doctors/?page=${page}&limits=20`)),
      target: LIST,
    },
    {
      name: 'GET /doctors/?specialisation=',
      calls: to(numbers(20).map((id) => `/doctors/?specialisation=${id}`)),
      target: LIST,
    },
    {
      name: 'GET /doctors/?designation=',
      calls: to(numbers(10).map((id) => `/doctors/?designation=${id}`)),
      target: LIST,
    },
    {
      name: 'GET /doctors/?available_time=',
      calls: to(numbers(20).map((id) => `/doctors/?available_time=${id}`)),
      target: LIST,
    },
    { name: 'GET /doctors/?min_fee=&max_fee=', calls: to(['/doctors/?min_fee=100&max_fee=300']), target: LIST },
    { name: 'GET /doctors/?search=', calls: to(['/doctors/?search=garc%C3%ADa&limits=20']), target: LIST },
    { name: 'GET /doctors/?ordering=name', calls: to(['/doctors/?ordering=name&limits=20']), target: LIST },
    { name: 'GET /doctors/{id}/', calls: to(ids.doctors.map((id) => `/doctors/${id}/`)), target: RECORD },
    // Patients
    { name: 'GET /patients/', calls: staff('/patients/'), target: LIST },
    {
      name: 'GET /patients/?search=',
      calls: staff('/patients/?search=garc%C3%ADa', '/patients/?search=brandt'),
      target: LIST,
    },
    {
      name: 'GET /patients/?search= (a number)',
      calls: staff(...ids.people.map((id) => `/patients/?search=${1000000 + id}`)),
      target: LIST,
    },
    {
      name: 'GET /patients/?phone=',
      calls: staff(...ids.people.map((id) => `/patients/?phone=%2B49%2030%20${1000000 + id}`)),
      target: LIST,
    },
    {
      name: 'GET /patients/ (a doctor)',
      calls: ids.busyDoctors.map((caller) => ({ path: '/patients/', caller })),
      target: LIST,
    },
    { name: 'GET /patients/{id}/', calls: staff(...ids.people.map((id) => `/patients/${id}/`)), target: RECORD },
    // Profiles
    { name: 'GET /api/user/profiles/', calls: staff('/api/user/profiles/'), target: LIST },
    { name: 'GET /api/user/profiles/?search=', calls: staff('/api/user/profiles/?search=hossain'), target: LIST },
    {
      name: 'GET /api/user/profiles/{id}/',
      calls: staff(...ids.people.map((id) => `/api/user/profiles/${id}/`)),
      target: RECORD,
    },
    // Appointments
    { name: 'GET /appointments/', calls: staff('/appointments/'), target: LIST },
    {
      name: 'GET /appointments/ (a doctor)',
      calls: ids.busyDoctors.map((caller) => ({ path: '/appointments/', caller })),
      target: LIST,
    },
    {
      name: 'GET /appointments/ (a patient)',
      calls: ids.busyPatients.map((caller) => ({ path: '/appointments/', caller })),
      target: LIST,
    },
    ...appointmentFilters(ids).map(([filter, queries]) => ({
      name: `GET /appointments/?${filter}`,
      calls: staff(...queries.map((query) => `/appointments/?${query}`)),
      target: LIST,
    })),
    {
      name: 'GET /appointments/{id}/',
      calls: staff(...ids.appointments.map((id) => `/appointments/${id}/`)),
      target: RECORD,
    },
    // Reviews
    { name: 'GET /reviews/', calls: to(['/reviews/']), target: LIST },
    { name: 'GET /reviews/?doctor=', calls: to(ids.doctors.map((id) => `/reviews/?doctor=${id}`)), target: LIST },
    {
      name: 'GET /reviews/?reviwer=',
      calls: to(ids.busyPatients.map((id) => `/reviews/?reviwer=${id}`)),
      target: LIST,
    },
    { name: 'GET /reviews/?rating=', calls: to(numbers(5).map((stars) => `/reviews/?rating=${stars}`)), target: LIST },
    { name: 'GET /reviews/{id}/', calls: to(ids.reviews.map((id) => `/reviews/${id}/`)), target: RECORD },
    // What has no pages
    { name: 'GET /services/', calls: to(['/services/']), target: LIST },
    { name: 'GET /services/{id}/', calls: to(numbers(20).map((id) => `/services/${id}/`)), target: RECORD },
    { name: 'GET /designations/', calls: to(['/designations/']), target: LIST },
    { name: 'GET /specialisations/', calls: to(['/specialisations/']), target: LIST },
    { name: 'GET /available-time/', calls: to(['/available-time/']), target: LIST },
    { name: 'GET /contacts/', calls: staff('/contacts/'), target: LIST },
    // Booking
    { name: 'POST /appointments/ (dated)', calls: bookings(free, true), target: BOOKING },
    { name: 'POST /appointments/ (the soonest)', calls: bookings(free, false), target: BOOKING },
    // Availability
    { name: 'GET /availability/', calls: to(['/availability/']), target: { p99: 60, perSecond: 300 } },
    {
      name: 'GET /availability/?specialisation=',
      calls: to(numbers(20).map((id) => `/availability/?specialisation=${id}`)),
      target: { p99: 60, perSecond: 300 },
    },
    {
      name: 'GET /doctors/{id}/availability/',
      calls: to(ids.busyDoctors.map((id) => `/doctors/${id}/availability/?from=${day(0)}&to=${day(30)}`)),
      target: { p99: 20 },
    },
  ];
}

/** Queries of the appointments' list, by what they filter by. */
export const appointmentFilters = (ids: ReturnType<typeof sample>): [string, string[]][] => [
  ['status=', ['Pendding', 'Runing', 'Complated'].map((word) => `status=${word}`)],
  ['type=', ['Online', 'Offline'].map((word) => `type=${word}`)],
  ['doctor_id=', ids.busyDoctors.map((id) => `doctor_id=${id}`)],
  ['patient_id=', ids.busyPatients.map((id) => `patient_id=${id}`)],
  ['from=&to=', numbers(7).map((n) => `from=${day(n)}&to=${day(n + 2)}`)],
  ['date=', numbers(14).map((n) => `date=${day(n)}`)],
  ['cancel=', ['cancel=true', 'cancel=false']],
  ['ordering=-date', ['ordering=-date']],
  ['search=', ['search=garc%C3%ADa', `search=${ids.busyPatients[0]}`]],
];

/** Paths whose answers are compared, beside those that are measured. */
export const compared = (shape: Shape): Call[] => [
  ...to(
    ['ordering=fee', 'ordering=-fee&page=3', 'ordering=name', 'ordering=id&page=2&limits=1'].map(
      (query) => `/doctors/?${query}`,
    ),
  ),
  ...to(
    ['designation=2&available_time=3', 'fee=500', 'search=%22doc', 'search=nobody'].map(
      (query) => `/doctors/?${query}`,
    ),
  ),
  ...to(
    ['limits=1000', 'limits=1000&page=2', 'page=100000', 'specialisation=1000'].map((query) => `/doctors/?${query}`),
  ),
  ...to(['/doctors/999999999/', '/reviews/?page=17', '/reviews/999999999/', '/services/999999999/']),
  ...staff('/patients/?page=3&limits=7', '/patients/999999999/', '/api/user/profiles/?page=4&limits=9'),
  ...staff('/appointments/?page=2', '/appointments/?ordering=date&page=3', '/appointments/?page=100000'),
  ...staff(`/appointments/?doctor_id=1&status=Pendding&from=${day(1)}`, '/appointments/999999999/'),
  ...staff('/appointments/?attendance=no_show', '/appointments/?attendance=none&time=3', '/appointments/?limits=1000'),
  // Of others: nothing is there for who may not see it.
  ...[1, 2, shape.doctors + 3].flatMap((caller) =>
    ['/patients/', `/patients/${caller}/`, '/patients/9/', '/appointments/', '/appointments/1/', '/contacts/'].map(
      (path) => ({ path, caller }),
    ),
  ),
  ...[1, shape.doctors + 3].flatMap((caller) =>
    ['/api/user/profiles/', `/api/user/profiles/${caller}/`, '/api/user/profiles/5/'].map((path) => ({ path, caller })),
  ),
];
