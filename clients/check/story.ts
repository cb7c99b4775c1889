/**
 * The story that every client tells: from a registration to the limit of failed logins, with each kind of answer that a
 * program has to tell apart. It is written against an interface, and each client's adapter fits that without a cast, so
 * that a type which changes in the generated code is an error of the compiler.
 */
import { randomBytes } from 'node:crypto';
import type { problems } from '../../openapi/generated/problems.js';

interface Explained {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
}
interface SlotTaken extends Explained {
  readonly type: '/problems/slot-taken';
  readonly alternatives: readonly Slot[];
}
interface OtherProblem extends Explained {
  readonly type: `/problems/${Exclude<keyof typeof problems, 'slot-taken'>}`;
  readonly errors?: Readonly<Record<string, readonly string[]>>;
}
export type Refusal = SlotTaken | OtherProblem;

export interface Done<T> {
  readonly isDone: true;
  readonly status: number;
  readonly etag: string | null;
  readonly data: T;
}
export interface Refused {
  readonly isDone: false;
  readonly status: number;
  readonly retryAfter: string | null;
  readonly problem: Refusal;
}
export type Answer<T> = Done<T> | Refused;

interface Head {
  readonly status: number;
  readonly headers: Headers;
}
export const done = <T>(data: T, { status, headers }: Head): Done<T> => ({
  isDone: true,
  status,
  etag: headers.get('etag'),
  data,
});
export const refused = (problem: Refusal, { status, headers }: Head): Refused => ({
  isDone: false,
  status,
  retryAfter: headers.get('retry-after'),
  problem,
});

interface Slot {
  readonly date: string;
  readonly time: number;
}
interface Page<T> {
  readonly count: number;
  readonly next: string | null;
  readonly previous: string | null;
  readonly results: readonly T[];
}
interface Tokens {
  readonly refresh: string;
  readonly access: string;
}
export interface Credentials {
  username: string;
  password: string;
}
export interface Registration extends Credentials {
  first_name: string;
  last_name: string;
  email: string;
  confirm_password: string;
}
interface Registered {
  readonly message: string;
  readonly tokens: Tokens;
  readonly user: {
    readonly id: number;
    readonly username: string;
    readonly email: string;
    readonly is_staff: boolean;
    readonly date_joined: string;
  };
}
interface Doctor {
  readonly id: number;
  readonly user: string;
  readonly profile: string | null;
  readonly designation: readonly string[];
  readonly specialisation: readonly string[];
  readonly available_time: readonly number[];
  readonly fee: number;
  readonly meet_link: string;
}
export interface DoctorInput {
  profile: File;
  designation: number[];
  specialisation: number[];
  available_time: number[];
  fee: number;
  meet_link: string;
}
export interface DoctorFilter {
  search?: string;
  specialisation?: number;
  max_fee?: number;
  ordering?: 'id' | 'fee' | '-fee' | 'name';
  page?: number;
  limits?: number;
}
interface Lookup {
  readonly id: number;
  readonly name: string;
  readonly slug: string;
}
interface AvailableTime {
  readonly id: number;
  readonly time: string;
  readonly start: string | null;
  readonly end: string | null;
}
export interface Booking {
  doctor: number;
  appointment_type: 'Online' | 'Offline';
  symptoms: string;
  time: number;
  date: string;
}
type Status = 'Pendding' | 'Runing' | 'Complated';
interface Appointment extends Slot {
  readonly id: number;
  readonly patient: number;
  readonly doctor: number;
  readonly appointment_type: 'Online' | 'Offline';
  readonly appointment_status: Status;
  readonly symptoms: string;
  readonly cancel: boolean;
}
export interface AppointmentFilter {
  doctor_id: number;
  status: Status;
  type: 'Online' | 'Offline';
}
type Rating = '⭐' | '⭐⭐' | '⭐⭐⭐' | '⭐⭐⭐⭐' | '⭐⭐⭐⭐⭐';
export interface ReviewInput {
  doctor: number;
  body: string;
  rating: Rating;
}
interface Review {
  readonly id: number;
  readonly reviewer: string;
  readonly doctor_name: string;
  readonly body: string;
  readonly created_on: string;
  readonly rating: Rating;
}

export interface Client {
  /** Sends this access token from now on. */
  authorize(access: string): void;
  register(body: Registration): Promise<Answer<Registered>>;
  logIn(body: Credentials): Promise<Answer<Tokens>>;
  refresh(refresh: string): Promise<Answer<{ readonly access: string }>>;
  logOut(refresh: string): Promise<Answer<{ readonly message: string }>>;
  listSpecialisations(): Promise<Answer<readonly Lookup[]>>;
  listAvailableTimes(): Promise<Answer<readonly AvailableTime[]>>;
  listDoctors(query: DoctorFilter): Promise<Answer<Page<Doctor>>>;
  createDoctor(body: DoctorInput): Promise<Answer<Doctor>>;
  book(body: Booking, key: string): Promise<Answer<Appointment>>;
  getAppointment(id: number): Promise<Answer<Appointment>>;
  move(id: number, to: Slot, ifMatch: string): Promise<Answer<Appointment>>;
  listAppointments(query: AppointmentFilter): Promise<Answer<Page<Appointment>>>;
  review(body: ReviewInput): Promise<Answer<Review>>;
}
export type CreateClient = (baseUrl: string) => Client;

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}
function good<T>(answer: Answer<T>): Done<T> {
  if (!answer.isDone) throw new Error(`${answer.status} ${answer.problem.type}: ${answer.problem.detail}`);
  return answer;
}
function refusal(answer: Answer<unknown>, status: number): Refused {
  if (answer.isDone) throw new Error(`answered ${answer.status}, not ${status}`);
  must(
    answer.status === status && answer.problem.status === status,
    `answered ${answer.status} ${answer.problem.type}, not ${status}`,
  );
  return answer;
}

/** A white cross on green, 96 by 96 pixels. */
export const picture = (): File =>
  new File(
    [
      Buffer.from(
        'iVBORw0KGgoAAAANSUhEUgAAAGAAAABgAQMAAADYVuV7AAAABlBMVEUfioz///8LgI4jAAAAHklEQVR42mNgGIaA////DyOb' +
          '8x8KRjmkcUbTzjADAIP/Ntg+uVyxAAAAAElFTkSuQmCC',
        'base64',
      ),
    ],
    'portrait.png',
    { type: 'image/png' },
  );

/** Tells the story to a demo and gives the number of its steps; the error of a step that fails names it. */
export async function tell(client: Client): Promise<number> {
  let steps = 0;
  const step = async <T>(title: string, act: () => Promise<T>): Promise<T> => {
    steps++;
    return act().catch((error: unknown) => {
      throw new Error(`step ${steps} (${title}): ${error instanceof Error ? error.message : String(error)}`);
    });
  };
  const tag = randomBytes(4).toString('hex');
  const password = 'plum-Tractor-91';
  const person = (name: string): Registration => ({
    username: `${name.toLowerCase()}-${tag}`,
    first_name: name,
    last_name: `Ashdown-${tag}`,
    email: `${name.toLowerCase()}-${tag}@mail.example`,
    password,
    confirm_password: password,
  });

  const { doctorTokens, patientTokens, otherTokens } = await step('register', async () => {
    const [doctorTokens, patientTokens, otherTokens] = [
      good(await client.register(person('Robin'))).data.tokens,
      good(await client.register(person('Maya'))).data.tokens,
      good(await client.register(person('Olu'))).data.tokens,
    ];
    return { doctorTokens, patientTokens, otherTokens };
  });

  await step('a typed 400', async () => {
    const { problem } = refusal(await client.register({ ...person('Nobody'), email: 'no address' }), 400);
    must(problem.type === '/problems/invalid-input', problem.type);
    must((problem.errors?.['email'] ?? []).length > 0, 'errors does not name the email');
  });

  await step('refresh the token', async () => {
    client.authorize(good(await client.refresh(doctorTokens.refresh)).data.access);
  });

  const { specialisation, times } = await step('look up', async () => {
    const [specialisation] = good(await client.listSpecialisations()).data;
    const times = good(await client.listAvailableTimes()).data.filter(({ start }) => start !== null);
    must(specialisation !== undefined && times.length >= 3, 'the demo has no specialisations or times');
    return { specialisation, times: times.slice(0, 3).map(({ id }) => id) };
  });

  const doctor = await step('upload', async () => {
    const { data, status } = good(
      await client.createDoctor({
        profile: picture(),
        designation: [],
        specialisation: [specialisation.id],
        available_time: times,
        fee: 75,
        meet_link: 'https://meet.example.com/robin',
      }),
    );
    must(status === 201 && data.fee === 75, `${status}, fee ${data.fee}`);
    must(data.available_time.length === 3, `${data.available_time.length} times of 3 have arrived`);
    const image = await fetch(data.profile ?? '');
    must(image.ok && image.headers.get('content-type') === 'image/png', `the picture is ${image.status}`);
    return data;
  });

  await step('filter', async () => {
    const query = { specialisation: specialisation.id, max_fee: 100, ordering: '-fee' as const };
    const { results } = good(await client.listDoctors(query)).data;
    must(
      results.some(({ id }) => id === doctor.id),
      'the new doctor is not found',
    );
    for (const { fee, specialisation: names } of results) {
      must(fee <= 100 && names.includes(specialisation.name), `fee ${fee}, ${names.join()}`);
    }
  });

  await step('search', async () => {
    const { count, results } = good(await client.listDoctors({ search: `Ashdown-${tag}` })).data;
    must(count === 1 && results[0]?.id === doctor.id, `${count} found`);
  });

  await step('pages', async () => {
    const seen = new Set<number>();
    for (let page = 1, next: string | null = ''; next !== null; page++) {
      const { data } = good(await client.listDoctors({ page, limits: 10, ordering: 'name' }));
      for (const { id } of data.results) seen.add(id);
      next = data.next;
      must(next === null ? seen.size === data.count : seen.size === page * 10, `${seen.size} of ${data.count}`);
    }
    must(seen.size > 10, 'the demo has one page');
    const { problem } = refusal(await client.listDoctors({ page: 1000 }), 404);
    must(problem.type === '/problems/not-found', problem.type);
  });

  client.authorize(patientTokens.access);
  const booking: Booking = {
    doctor: doctor.id,
    appointment_type: 'Online',
    symptoms: 'A cough',
    time: times[0] ?? 0,
    date: new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10),
  };
  const booked = await step('book with a key', async () => {
    const { data, status } = good(await client.book(booking, tag));
    must(status === 201 && data.date === booking.date && data.appointment_status === 'Pendding', JSON.stringify(data));
    return data;
  });

  await step('book again with the key', async () => {
    must(good(await client.book(booking, tag)).data.id === booked.id, 'another appointment');
    const { problem } = refusal(await client.book({ ...booking, symptoms: 'A cold' }, tag), 422);
    must(problem.type === '/problems/idempotency-key-reused', problem.type);
  });

  const alternative = await step('a typed 409 with alternatives', async () => {
    client.authorize(otherTokens.access);
    const { problem } = refusal(await client.book(booking, randomBytes(8).toString('hex')), 409);
    if (problem.type !== '/problems/slot-taken') throw new Error(problem.type);
    const [first, second] = problem.alternatives;
    must(first !== undefined && second !== undefined, 'no alternatives');
    good(await client.book({ ...booking, ...first }, randomBytes(8).toString('hex')));
    return second;
  });

  client.authorize(patientTokens.access);
  const etag = await step('read with its tag', async () => {
    const { etag, data } = good(await client.getAppointment(booked.id));
    must(etag !== null && data.doctor === doctor.id, `ETag ${etag}`);
    return etag;
  });

  await step('move with If-Match', async () => {
    const { data } = good(await client.move(booked.id, alternative, etag));
    must(data.date === alternative.date && data.time === alternative.time, JSON.stringify(data));
  });

  await step('a typed 412', async () => {
    const { problem } = refusal(await client.move(booked.id, booking, etag), 412);
    must(problem.type === '/problems/precondition-failed', problem.type);
  });

  await step('filter by words', async () => {
    const query: AppointmentFilter = { doctor_id: doctor.id, status: 'Pendding', type: 'Online' };
    must(good(await client.listAppointments(query)).data.results[0]?.id === booked.id, 'not found as Pendding');
    for (const status of ['Runing', 'Complated'] as const) {
      must(good(await client.listAppointments({ ...query, status })).data.count === 0, `found as ${status}`);
    }
  });

  await step('review with stars', async () => {
    const { data } = good(await client.review({ doctor: doctor.id, body: 'Listens.', rating: '⭐⭐⭐⭐' }));
    must(data.rating === '⭐⭐⭐⭐' && data.reviewer === 'Maya', JSON.stringify(data));
  });

  await step('log out, and a typed 401', async () => {
    good(await client.logOut(patientTokens.refresh));
    const { problem } = refusal(await client.refresh(patientTokens.refresh), 401);
    must(problem.type === '/problems/not-authenticated', problem.type);
  });

  await step('a typed 429', async () => {
    const credentials = { username: `nobody-${tag}`, password };
    for (let attempt = 1; attempt <= 10; attempt++) refusal(await client.logIn(credentials), 401);
    const { problem, retryAfter } = refusal(await client.logIn(credentials), 429);
    must(problem.type === '/problems/too-many-requests' && Number(retryAfter) > 0, `Retry-After ${retryAfter}`);
  });

  return steps;
}
