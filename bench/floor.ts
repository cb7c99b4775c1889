/**
 * The floor that the product is measured against: the least that can give the same answers. No framework, no
 * authentication, no validation, no limits, no log; the SQL is written by hand and prepared, one round trip a request.
 */
import { createServer } from 'node:http';
import postgres from '../db/driver.js';

const { DATABASE_URL = '', PORT } = process.env;
const sql = postgres(DATABASE_URL, {
  max: 10,
  types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
});

interface Answer {
  readonly status: number;
  readonly body: unknown;
}
const NOT_FOUND: Answer = { status: 404, body: { title: 'Not found' } };

/** Runs a text that is one of few, so that each is prepared once a connection. Rows are arrays of their columns. */
const run = (text: string, parameters: (string | number)[]): Promise<unknown[][]> =>
  sql.unsafe(text, parameters, { prepare: true }).values() as Promise<unknown[][]>;

const picture = (base: string, name: unknown): string | null =>
  name === null ? null : `${base}/pictures/${name as string}`;

// --- Doctors ---

const DOCTOR_ORDERS: Record<string, string> = {
  id: 'd.id',
  fee: 'fee, d.id',
  '-fee': 'fee desc, d.id',
  name: 'folded_display_name collate "C", d.id',
};

const linked = (list: string, entry: string) => (parameter: string) =>
  `d.id in (select doctor_id from doctor_${list} where ${entry}_id = ${parameter}::bigint)`;

const DOCTOR_FILTERS: Record<string, (parameter: string) => string> = {
  specialisation: linked('specialisations', 'specialisation'),
  designation: linked('designations', 'designation'),
  available_time: linked('available_times', 'available_time'),
  fee: (parameter) => `d.fee = ${parameter}::int`,
  min_fee: (parameter) => `d.fee >= ${parameter}::int`,
  max_fee: (parameter) => `d.fee <= ${parameter}::int`,
  search: (parameter) =>
    `d.user_id in (select id from users where folded_display_name like '%' || (select folded(${parameter}::text)) || '%')`,
};

const names = (lookup: string, entry: string) => `
  array(
    select (select name from ${lookup} where id = ${entry}_id)
    from doctor_${lookup} where doctor_id = d.id order by ${entry}_id
  )`;

const DOCTOR = `
  select d.id, display_name, picture, ${names('designations', 'designation')},
    ${names('specialisations', 'specialisation')},
    array(select available_time_id from doctor_available_times where doctor_id = d.id order by 1), fee, meet_link
  from doctors d join users on users.id = d.user_id where d.id = $1::bigint and archived_at is null`;

/** A list of every doctor of the page, read in one scan: for many doctors faster than a subquery each. */
const entries = (table: string, value: string, entry: string, join = '') => `
  left join (
    select doctor_id, array_agg(${value} order by ${entry}) entries
    from doctor_${table} ${join} where doctor_id = any(array(select id from page)) group by doctor_id
  ) ${table} on ${table}.doctor_id = d.id`;

const doctorPage = (where: string, order: string) => `
  with page as materialized (
    select d.id from doctors d ${order.startsWith('folded_') ? 'join users on users.id = d.user_id' : ''}
    where ${where} order by ${order} limit $1::int offset $2::bigint
  )
  select d.id, display_name, picture, coalesce(designations.entries, '{}'), coalesce(specialisations.entries, '{}'),
    coalesce(available_times.entries, '{}'), fee, meet_link, (select count(*) from doctors d where ${where})
  from doctors d join users on users.id = d.user_id
    ${entries('designations', 'name', 'designation_id', 'join designations on id = designation_id')}
    ${entries('specialisations', 'name', 'specialisation_id', 'join specialisations on id = specialisation_id')}
    ${entries('available_times', 'available_time_id', 'available_time_id')}
  where d.id = any(array(select id from page)) order by ${order}`;

const doctor = (
  base: string,
  [id, user, name, designation, specialisation, available_time, fee, meet_link]: unknown[],
) => ({ id, user, profile: picture(base, name), designation, specialisation, available_time, fee, meet_link });

async function getDoctor(base: string, id: string): Promise<Answer> {
  const [row] = await run(DOCTOR, [id]);
  return row === undefined ? NOT_FOUND : { status: 200, body: doctor(base, row) };
}

async function listDoctors(base: string, path: string, query: URLSearchParams): Promise<Answer> {
  const page = Number(query.get('page') ?? 1);
  const limits = Number(query.get('limits') ?? 100);
  const parameters: (string | number)[] = [limits, (page - 1) * limits];
  let where = 'archived_at is null';
  for (const [name, value] of query) {
    const filter = DOCTOR_FILTERS[name];
    if (filter !== undefined) where += ` and ${filter(`$${parameters.push(value)}`)}`;
  }
  const order = DOCTOR_ORDERS[query.get('ordering') ?? 'id'] ?? 'd.id';
  const rows = await run(doctorPage(where, order), parameters);
  if (rows.length === 0 && page > 1) return NOT_FOUND;
  const count = (rows[0]?.[8] ?? 0) as number;
  const link = (target: number): string => {
    query.delete('page');
    query.append('page', String(target));
    return `${base}${path}?${query.toString()}`;
  };
  const next = page * limits < count ? link(page + 1) : null;
  const previous = page > 1 ? link(page - 1) : null;
  const results = rows.map((row) => doctor(base, row));
  return { status: 200, body: { count, next, previous, results } };
}

// --- HTTP ---

function answer(host: string, url: string): Promise<Answer> | Answer {
  const base = `http://${host}`;
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  if (path === '/doctors/') return listDoctors(base, path, new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)));
  const [, resource, id, end] = path.split('/');
  if (resource === 'doctors' && id !== undefined && end === '') return getDoctor(base, id);
  return NOT_FOUND;
}

const server = createServer((request, response) => {
  void (async () => {
    const { status, body } = await answer(request.headers.host ?? '', request.url ?? '');
    const bytes = Buffer.from(JSON.stringify(body));
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length }).end(bytes);
  })();
});
server.listen(Number(PORT), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
  void sql.end({ timeout: 1 });
});
