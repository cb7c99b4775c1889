/** People who use a hospital all the time, and know what they were told. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { PASSWORD } from './app.js';
import { ask, type Answer, type Call } from './ask.js';
import { checkAnswer, operationOf } from './contract.js';
import { DOCTORS, SLOTS, type Hospital, type Person } from './hospital.js';
import { pictureFile } from './pictures.js';

/** A body that has a picture for a patient. */
export async function pictureForm(): Promise<NonNullable<Call['form']>> {
  const form = new FormData();
  form.set('profile', await pictureFile());
  const encoded = new Request('http://x', { method: 'POST', body: form });
  const type = encoded.headers.get('content-type') as string;
  return { type, bytes: Buffer.from(await encoded.arrayBuffer()) };
}

/** What is known of an appointment by whoever booked it. */
export interface Booking {
  readonly by: Person;
  readonly key: string;
  readonly call: Call;
  /** The first answer. */
  readonly text: string;
  readonly id: number;
  symptoms: string;
  isCancelled: boolean;
}

export interface Seen {
  readonly operation: string;
  readonly status: number;
  readonly took: number;
  /** Where it began, by `performance.now()`. */
  readonly at: number;
}

export interface Traffic {
  readonly bookings: readonly Booking[];
  /** Ids of the appointments of series. */
  readonly series: readonly (readonly number[])[];
  readonly usernames: readonly string[];
  readonly seen: readonly Seen[];
  /** Answers that the contract does not have, or nobody should get. */
  readonly faults: readonly string[];
  /** Resolves when so many more writes are acknowledged. */
  untilMore(writes: number): Promise<void>;
  /** Ends when everybody knows what became of the last request, which is made again until then. */
  stop(): Promise<void>;
}

/** How long anybody asks again for an answer that is no failure, in milliseconds. */
const PATIENCE = 180_000;

const dayFrom = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

/**
 * Begins to use a hospital: each of its people books (dated ones that others want too), in series, reads, changes, cancels
 * and uploads, one request after the other, and new ones register. They take turns among the URLs.
 * @param mayBreak whether a connection to a URL may be refused or broken, as that of a server that is killed
 */
export async function beginTraffic(
  t: Test,
  { people, urls }: Pick<Hospital, 'people' | 'urls'>,
  { mayBreak = () => false }: { mayBreak?: (url: string) => boolean } = {},
): Promise<Traffic> {
  const bookings: Booking[] = [];
  const series: number[][] = [];
  const usernames: string[] = [];
  const seen: Seen[] = [];
  const faults: string[] = [];
  let isOn = true;
  let isLeft = false;
  let writes = 0;
  let turns = 0;

  const picture = await pictureForm();

  /** One try, held against the contract. */
  async function tryOnce(call: Call): Promise<Answer> {
    const at = performance.now();
    const url = urls[turns++ % urls.length] as string;
    const answer = await ask(url, call);
    const { method = 'GET', path, token } = call;
    const { headers, text, took } = answer;
    // What a proxy says of a server that ended.
    const isOfProxy = answer.status === 502 && headers['content-type'] === 'application/problem+json';
    const status = isOfProxy ? 0 : answer.status;
    const operation = operationOf(method, path) ?? path;
    seen.push({ operation, status, took, at });
    if (status === 0) {
      if (!mayBreak(url)) faults.push(`${operation}: ${text}`);
    } else {
      try {
        checkAnswer(method, path, { isPrivate: token !== undefined || method !== 'GET', status, headers, text });
        if (status >= 500 && status !== 503) throw new Error(`${operation} answered ${status}: ${text}`);
        if (status === 503 && !(Number(headers['retry-after']) > 0)) throw new Error(`${operation}: no Retry-After`);
      } catch (error) {
        faults.push((error as Error).message);
      }
    }
    return { ...answer, status };
  }

  /** Asks until there is an answer that is no failure. */
  async function settle(call: Call, expected: readonly number[]): Promise<Answer> {
    for (const deadline = performance.now() + PATIENCE; ;) {
      const answer = await tryOnce(call);
      if (answer.status !== 503 && answer.status !== 0) {
        if (!expected.includes(answer.status)) {
          faults.push(`${call.method} ${call.path} answered ${answer.status}: ${answer.text.slice(0, 500)}`);
        }
        return answer;
      }
      if (performance.now() > deadline || isLeft) {
        faults.push(`${call.method} ${call.path} has got no answer`);
        return answer;
      }
      await sleep(100);
    }
  }

  async function book(by: Person, body: object): Promise<Booking | undefined> {
    const key = randomUUID();
    const symptoms = `of ${key}`;
    const call: Call = {
      ...{ method: 'POST', path: '/appointments/', token: by.token, headers: { 'idempotency-key': key } },
      body: { appointment_type: 'Online', symptoms, ...body },
    };
    const { status, text } = await settle(call, [201, 409]);
    if (status !== 201) return undefined;
    writes++;
    const { id } = JSON.parse(text) as { id: number };
    const booking = { by, key, call, text, id, symptoms, isCancelled: false };
    bookings.push(booking);
    return booking;
  }

  async function bookSeries(by: Person, body: object): Promise<void> {
    const { status, text } = await settle(
      {
        ...{ method: 'POST', path: '/appointments/series/', token: by.token },
        headers: { 'idempotency-key': randomUUID() },
        body: { appointment_type: 'Offline', symptoms: 'Physiotherapy', count: 4, ...body },
      },
      [201, 409],
    );
    if (status !== 201) return;
    writes++;
    const { appointments } = JSON.parse(text) as { appointments: { id: number }[] };
    series.push(appointments.map(({ id }) => id));
  }

  async function change(booking: Booking, body: { symptoms?: string; cancel?: boolean }): Promise<void> {
    const path = `/appointments/${booking.id}/`;
    const { status } = await settle({ method: 'PATCH', path, token: booking.by.token, body }, [200, 409]);
    if (status !== 200) return;
    writes++;
    booking.symptoms = body.symptoms ?? booking.symptoms;
    booking.isCancelled = body.cancel ?? booking.isCancelled;
  }

  /** What was acknowledged is there at whichever instance. */
  async function read({ by: { token }, id, symptoms, isCancelled }: Booking): Promise<void> {
    const { status, text } = await tryOnce({ path: `/appointments/${id}/`, token });
    if (status !== 200) return;
    const stored = JSON.parse(text) as { symptoms: string; cancel: boolean };
    if (stored.symptoms !== symptoms || stored.cancel !== isCancelled) {
      faults.push(`appointment ${id} is not as it was acknowledged: ${text}`);
    }
  }

  async function register(): Promise<void> {
    const username = `u${randomUUID()}`;
    const body = { username, email: `${username}@example.com`, password: PASSWORD, confirm_password: PASSWORD };
    // 409 where it was stored, and the answer was lost.
    const { status } = await settle({ method: 'POST', path: '/api/user/register/', body }, [201, 409]);
    if (status !== 201 && status !== 409) return;
    writes++;
    usernames.push(username);
  }

  async function live(by: Person, which: number): Promise<void> {
    const mine: Booking[] = [];
    for (let step = which; isOn; step++) {
      const doctor = 1 + (step % DOCTORS);
      const time = 1 + (step % SLOTS);
      const last = mine.at(-1);
      switch (step % 10) {
        case 0:
        case 5: {
          const booking = await book(by, { doctor, time });
          if (booking !== undefined) mine.push(booking);
          break;
        }
        case 1:
        case 6: {
          // What all of them want at about the same moment.
          const date = dayFrom(2 + (Math.floor(step / 10) % 300));
          const booking = await book(by, { doctor: 1, time: 1 + (Math.floor(step / 10) % SLOTS), date });
          if (booking !== undefined) mine.push(booking);
          break;
        }
        case 2:
          await tryOnce({ path: '/doctors/' });
          if (last !== undefined) await read(last);
          break;
        case 3:
          if (last !== undefined) await change(last, { symptoms: randomUUID() });
          break;
        case 4: {
          const path = `/patients/${by.patient}/`;
          const { status } = await settle({ method: 'PATCH', path, token: by.token, form: picture }, [200]);
          if (status === 200) writes++;
          break;
        }
        case 7:
          if (last !== undefined) await change(last, { cancel: !last.isCancelled });
          break;
        case 8:
          if (last !== undefined) await read(last);
          await tryOnce({ path: `/doctors/${doctor}/availability/` });
          break;
        default:
          // A password costs as much as all the rest.
          if (which === 0) await register();
          else if (which === 1) await bookSeries(by, { doctor, time });
          else await tryOnce({ path: '/appointments/?ordering=date', token: by.token });
      }
    }
  }

  const lives = people.map((person, index) => live(person, index));
  const stop = async (): Promise<void> => {
    isOn = false;
    await Promise.all(lives);
  };
  t.teardown(() => {
    isLeft = true;
    return stop();
  });
  return {
    ...{ bookings, series, usernames, seen, faults },
    untilMore: async (count) => {
      const deadline = performance.now() + PATIENCE;
      for (const from = writes; writes < from + count; await sleep(20)) {
        if (performance.now() > deadline) throw new Error(`${writes - from} writes were acknowledged in three minutes`);
      }
    },
    stop,
  };
}
