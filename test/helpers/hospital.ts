/** A hospital as it is run: two instances of the built server on a PostgreSQL server, and people who use it. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import type { Test } from 'tap';
import { SECRET } from './app.js';
import { freePort } from './ports.js';
import { startServerProcess, type ServerProcess } from './process.js';
import { forgeToken, now } from './tokens.js';

export const DOCTORS = 4;
export const SLOTS = 6;
const PATIENTS = 8;

export interface Person {
  readonly patient: number;
  readonly token: string;
}

export interface Hospital {
  readonly databaseUrl: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Where both instances keep pictures. */
  readonly pictures: string;
  readonly people: readonly Person[];
  /** Where the instances answer, whichever processes they are. */
  readonly urls: readonly string[];
  /** The process of each instance, as it was started last. */
  readonly servers: ServerProcess[];
  /** Starts an instance again, where it was. */
  restart(index: number, environment?: Readonly<Record<string, string>>, cwd?: string): Promise<void>;
}

/** A connection for looks at what is stored, and to what has to be there first. */
export function lookInto(t: Test, databaseUrl: string): postgres.Sql {
  const connection = { 'hospital.user_id': 'system', search_path: 'public, extensions' };
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined, connection });
  t.teardown(() => sql.end({ timeout: 1 }));
  return sql;
}

/** Whoever signs in has a token that outlives a clock that is set. */
const tokenOf = (user: number): string =>
  forgeToken({ sub: String(user), use: 'access', iat: now() - 7200, exp: now() + 86_400 }, { secret: SECRET });

async function makePeople(sql: postgres.Sql): Promise<Person[]> {
  await sql`insert into available_times (label, start_minute, end_minute)
    select format('%s:00 - %s:30', n, n), n * 60, n * 60 + 30 from generate_series(9, ${8 + SLOTS}) as n`;
  const made = (count: number) => sql`made as (insert into users (username, email, password_hash)
    select name, name || '@example.com', '' from (
      select gen_random_uuid()::text as name from generate_series(1, ${count})) as names returning id),
    profile as (insert into profiles (user_id) select id from made)`;
  await sql`with ${made(DOCTORS)}, doctor as (insert into doctors (user_id) select id from made returning id)
    insert into doctor_available_times select doctor.id, slot from doctor, generate_series(1, ${SLOTS}) as slot`;
  const patients = await sql<{ patient: number; user: number }[]>`
    with ${made(PATIENTS)} insert into patients (user_id, filled) select id, true from made
    returning id::float8 as patient, user_id::float8 as user`;
  return patients.map(({ patient, user }) => ({ patient, token: tokenOf(user) }));
}

/** Opens a hospital on an empty database, with settings of its servers' own. */
export async function openHospital(
  t: Test,
  databaseUrl: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Hospital> {
  const DATA_DIR = mkdtempSync(join(tmpdir(), 'hospital-'));
  t.teardown(() => rmSync(DATA_DIR, { recursive: true }));
  const pictures = join(DATA_DIR, 'pictures');
  mkdirSync(pictures);
  const environment = {
    ...{ DATABASE_URL: databaseUrl, DATA_DIR, JWT_SECRET: SECRET, LOG_LEVEL: 'info' },
    ...{ RATE_LIMIT_ANON: '1000000', RATE_LIMIT_USER: '1000000', RATE_LIMIT_AUTH: '1000000' },
    ...{ MAX_OPEN_BOOKINGS: '1000000', MAX_OPEN_BOOKINGS_PER_DOCTOR: '1000000' },
    ...settings,
  };
  const ports = [await freePort(), await freePort()];
  const servers: ServerProcess[] = [];
  const restart: Hospital['restart'] = async (index, more = {}, cwd) => {
    servers[index] = await startServerProcess(t, { ...environment, PORT: String(ports[index]), ...more }, cwd);
  };
  await Promise.all([restart(0), restart(1)]);
  const people = await makePeople(lookInto(t, databaseUrl));
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  return { databaseUrl, environment, pictures, people, urls, servers, restart };
}
