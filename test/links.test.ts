/** The links of every list that comes in pages. */
import t from 'tap';
import { buildTestApp } from './helpers/app.js';
import { buildClinic, TABLE } from './helpers/clinic.js';
import { exchange, readAnswer } from './helpers/exchange.js';
import { allOperations, pathOf } from './helpers/operations.js';

/** What follows `limits=1&` in a query; what else than the page is asked has to be in each link as it was sent. */
const OTHERS = [
  '',
  'x=what?&y=1',
  'x=1?page=7',
  'x=%E9%FF',
  'x=%zz&y=%',
  'x=a+b%20c',
  'x=1&x=2&x',
  'x=%E2%AD%90',
  'x=a;b&Page=3',
  'x=https://a.example/?b=c',
  'search=%20',
];

/** A link without the position, which a test of its own has. */
const byPage = (link: string): string => link.replace(/&after=[\w-]+$/, '');

t.test('pages', async (t) => {
  const api = await buildTestApp(t);
  const clinic = await buildClinic(api);
  const { owner, staff } = clinic.users;
  const paged = allOperations.filter(({ schema }) => schema.querystring?.properties['page'] !== undefined);
  const lists = paged.filter(({ schema }) => schema.response[200]?.['type'] === 'object');
  const arrays = paged.filter((operation) => !lists.includes(operation));
  // A second record of what the clinic has one of.
  for (const [path, id] of [
    ['/reviews/', 'createReview'],
    ['/appointments/', 'createAppointment'],
    ['/time-off/', 'createTimeOff'],
    ['/waiting-list/', 'createWaitingEntry'],
  ] as const) {
    const request = await TABLE[id][1]?.(clinic, 'owner');
    const { token } = id === 'createTimeOff' || id === 'createWaitingEntry' ? staff : owner;
    t.equal((await api.post(path, { token, ...request })).status, 201);
  }
  const second = { name: 'Billing', scopes: ['appointments:read'] };
  t.equal((await api.post('/service-keys/', { token: staff.token, body: second })).status, 201);
  const { username, password } = staff;
  t.equal((await api.post('/api/user/login/', { body: { username, password } })).status, 200, 'a second session');
  for (const cancel of [true, false]) {
    const change = { token: owner.token, body: { cancel } };
    t.equal((await api.patch(`/appointments/${clinic.ids['appointmentId']}/`, change)).status, 200);
  }
  const base = 'http://localhost:8000';

  for (const operation of lists) {
    const path = pathOf(operation);
    const { operationId } = operation.config;
    const get = (url: string) => api.get(url, { token: staff.token });
    await t.test(`${operationId} 200 with links that keep what else was asked as it was sent`, async (t) => {
      for (const others of OTHERS) {
        const query = ['limits=1', others].filter((part) => part !== '').join('&');
        const first = await get(`${path}?${query}`);
        t.equal(byPage(first.body.next), `${base}${path}?${query}&page=2`, others);
        t.equal(first.body.previous, null);
        const second = await get(first.body.next);
        t.equal(second.body.previous, `${base}${path}?${query}&page=1`);
        t.strictSame((await get(second.body.previous)).body.results, first.body.results);
      }
    });

    await t.test(`${operationId} 200 with one page in its links, however it was named`, async (t) => {
      for (const page of ['page=1', 'p%61ge=1', 'page=1&&', 'after=&page=1', '%61fter=']) {
        t.equal(byPage((await get(`${path}?${page}&limits=1`)).body.next), `${base}${path}?limits=1&page=2`, page);
      }
    });
  }

  t.strictSame(
    arrays.map(({ config }) => config.operationId),
    ['listServices', 'listContacts'],
  );
  for (const operation of arrays) {
    const { operationId, tag } = operation.config;
    const path = pathOf(operation);
    const get = async (url: string) => {
      const { status, headers, body, text } = await api.get(url, { token: staff.token });
      const links = Object.fromEntries(
        [...(headers['link'] ?? '').matchAll(/<([^>]*)>; rel="(\w+)"/g)].map(([, url, relation]) => [relation, url]),
      );
      const ids = status === 200 ? body.map(({ id }: { id: number }) => id) : [];
      return { status, links, ids: ids as number[], bytes: Buffer.byteLength(text) };
    };

    await t.test(`${operationId} 200 without links where one page has all`, async (t) => {
      const { links, ids } = await get(path);
      t.strictSame(links, {});
      t.ok(ids.length > 0);
    });

    await t.test(`${operationId} 200 with the newest 1,000, and a link to the rest`, async (t) => {
      await api.database.db.execute(
        `insert into ${tag} (name, ${tag === 'contacts' ? 'phone, message' : 'description, picture'})
          select 'name', '+49 30 1234567', 'p-a.png' from generate_series(1, 1000)`,
      );
      const all = (await api.database.db.execute<{ id: number }>(`select id::int from ${tag} order by id`)).map(
        ({ id }) => id,
      );
      const first = await get(path);
      t.match(first, { status: 200, ids: all.slice(-1000) });
      t.equal(byPage(first.links['next'] as string), `${base}${path}?page=2`);
      t.equal(first.links['prev'], undefined);
      const second = await get(first.links['next'] as string);
      t.match(second, { status: 200, links: { prev: `${base}${path}?page=1` }, ids: all.slice(0, -1000) });
      t.equal(second.links['next'], undefined);
      t.equal((await get(`${path}?page=3`)).status, 404);
      t.equal((await get(`${path}?limits=1001`)).status, 400);
      const found: number[] = [];
      for (let next: string | undefined = `${path}?limits=300&x=%E9;"&y`; next !== undefined;) {
        const page = await get(next);
        found.unshift(...page.ids);
        next = page.links['next'];
        if (next) t.match(next, `${base}${path}?limits=300&x=%E9;%22&y&page=`, 'what else was asked stays as it came');
      }
      t.strictSame(found, all);
    });

    await t.test(`${operationId} 200 with all there was by its links, while others write and delete`, async (t) => {
      const idsOf = async (sql: string) =>
        (await api.database.db.execute<{ id: number }>(sql)).map(({ id }) => id).sort((a, b) => a - b);
      const all = await idsOf(`select id::int from ${tag}`);
      const found: number[] = [];
      for (let next: string | undefined = `${path}?limits=300`; next !== undefined;) {
        const page = await get(next);
        found.unshift(...page.ids);
        next = page.links['next'];
        await api.database.db.execute(
          `insert into ${tag} (name, ${tag === 'contacts' ? 'phone, message' : 'description, picture'})
            values ('later', '+49 30 1234567', 'p-a.png')`,
        );
        await api.database.db.execute(`delete from ${tag} where id = ${page.ids.at(-1)}`);
      }
      t.strictSame(found, all);
    });

    await t.test(`${operationId} 200 with no more than 8 MiB of them, and a link to the rest`, async (t) => {
      const text = tag === 'contacts' ? 'message' : 'description';
      await api.database.db.execute(`update ${tag} set ${text} = repeat('🏥', 5000)`);
      const all = (await api.database.db.execute<{ id: number }>(`select id::int from ${tag} order by id`)).map(
        ({ id }) => id,
      );
      const found: number[] = [];
      let pages = 0;
      for (let next: string | undefined = path; next !== undefined; pages++) {
        const page = await get(next);
        t.ok(page.bytes <= 8 * 1024 * 1024, `${page.bytes} bytes`);
        if (page.links['next'] !== undefined) t.ok(page.bytes > 8 * 1024 * 1024 - 21_000, 'and hardly less');
        found.unshift(...page.ids);
        next = page.links['next'];
      }
      t.strictSame(found, all);
      t.ok(pages > 2);
    });
  }

  await t.test('listDoctors 200 with links to the server, in whatever form it was asked', async (t) => {
    const { port } = new URL(await api.app.listen({ port: 0, host: '127.0.0.1' }));
    for (const [request, next] of [
      [
        'GET http://a.example/doctors/?limits=1 HTTP/1.1\r\nHost: a.example',
        'http://a.example/doctors/?limits=1&page=2',
      ],
      ['GET /doctors/?limits=1 HTTP/1.0', `http://localhost:${port}/doctors/?limits=1&page=2`],
      ['GET /doctors?limits=1 HTTP/1.1\r\nHost: [::1]:80', 'http://[::1]:80/doctors?limits=1&page=2'],
    ] as const) {
      const { body } = readAnswer(await exchange(Number(port), `${request}\r\nConnection: close\r\n\r\n`));
      t.equal(byPage(JSON.parse(body).next), next, request);
    }
  });
});
