/** Pictures in a bucket that instances share: a real server of S3's protocol, and instances with data folders of their own. */
import { createServer, request as ask } from 'node:http';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { discardedPictures } from '../db/tables/index.js';
import type { PictureStore } from '../plugins/pictures/store.js';
import { anotherInstance, type TestApp } from './helpers/app.js';
import { createTestDatabase } from './helpers/database.js';
import { pictureFile } from './helpers/pictures.js';
import { openProxy } from './helpers/proxy.js';
import { BUCKET, makeS3 } from './helpers/s3.js';

interface Instance {
  readonly api: TestApp;
  readonly log: readonly string[];
  readonly dataDir: string;
}

async function startInstance(
  t: Test,
  databaseUrl: string,
  environment: Record<string, string>,
  share?: string,
): Promise<Instance> {
  const log: string[] = [];
  const write = (line: string): void => void log.push((JSON.parse(line) as { msg: string }).msg);
  // Each has one of its own.
  const DATA_DIR = mkdtempSync(join(tmpdir(), 'instance-'));
  t.teardown(() => rmSync(DATA_DIR, { recursive: true }));
  if (share !== undefined) symlinkSync(share, join(DATA_DIR, 'pictures'));
  const logger = pino({ level: 'info' }, { write });
  const api = await anotherInstance(t, { databaseUrl }, { ...environment, DATA_DIR }, logger);
  await api.app.ready();
  return {
    api,
    log,
    dataDir: DATA_DIR,
  };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}

const pathOf = (url: string): string => url.replace(/^https?:\/\/[^/]+/, '');

/** What the log says of the bucket, without what changes from run to run. */
const saidOf = ({ log }: Instance): string[] => log.filter((line) => line.includes('bucket of pictures'));

/** How often the store has failed, as the metrics have it. */
async function errorsOf({ api }: Instance): Promise<number> {
  const counts = (await api.get('/metrics')).text.matchAll(/^hospital_picture_errors_total\{action="\w+"\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** The bucket without a server of ours; loaded when it is asked for, as servers do. */
async function bucketOf(endpoint: string, prefix: string): Promise<PictureStore> {
  const { openBucket } = await import('../plugins/pictures/bucket.js');
  const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
  return openBucket({ name: BUCKET, region: 'us-east-1', endpoint, prefix, credentials });
}

// Before all others, of which each loads it.
t.test('without a bucket the client of S3 is not loaded', async (t) => {
  // Itself it is CommonJS, whose modules are known here whoever loads them.
  const isLoaded = () => Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('@aws-sdk'));
  const { api } = await startInstance(t, await createTestDatabase(t), {});
  const { token, doctorId } = await api.registerDoctor();
  const { body } = await api.patch(`/doctors/${doctorId}/`, { token, form: { profile: await pictureFile() } });
  t.equal((await api.get(pathOf(body.profile))).status, 200);
  t.notOk(isLoaded());
  await bucketOf('http://127.0.0.1:1', '');
  t.ok(isLoaded());
});

t.test('two instances with data folders of their own show each other’s pictures', async (t) => {
  const s3 = await makeS3(t);
  await s3.start();
  const databaseUrl = await createTestDatabase(t);
  const environment = { ...s3.environment, S3_PREFIX: 'hospital/pictures' };
  const [one, two] = [
    await startInstance(t, databaseUrl, environment),
    await startInstance(t, databaseUrl, environment),
  ];
  const { token, doctorId } = await one.api.registerDoctor();
  const url = `/doctors/${doctorId}/`;
  const change = async ({ api }: Instance, profile: Blob | string) => api.patch(url, { token, form: { profile } });
  const stored = await change(one, await pictureFile('me.png'));
  t.equal(stored.status, 200);
  const path = pathOf(stored.body.profile);
  const name = path.replace('/pictures/', '');

  await t.test('getPicture 200 with the headers that a folder’s have', async (t) => {
    for (const { api } of [one, two]) {
      const answer = await api.get(path);
      t.equal(answer.status, 200);
      t.match(answer.headers, {
        'content-type': 'image/png',
        'content-length': String(answer.bytes.length),
        'cache-control': 'public, max-age=31536000, immutable',
        'content-disposition': 'inline',
        'cross-origin-resource-policy': 'cross-origin',
        'x-content-type-options': 'nosniff',
        etag: `"${name}"`,
      });
      t.match(await sharp(answer.bytes).metadata(), { format: 'png', width: 40, height: 30 });
      t.equal((await api.get(path, { headers: { 'if-none-match': `"${name}"` } })).status, 304);
      t.equal((await api.get(`/pictures/p-${'A'.repeat(22)}.png`)).status, 404);
    }
  });

  await t.test('they lie in the bucket alone, under the prefix', (t) => {
    t.strictSame(s3.keys(), [`hospital/pictures/${name}`]);
    for (const { dataDir } of [one, two]) t.strictSame(readdirSync(dataDir), []);
    t.end();
  });

  await t.test('getPicture 200 for a signed one, also of the other instance', async (t) => {
    const user = await one.api.register();
    const form = { profile_picture: await pictureFile('face.jpeg') };
    const { id } = (await one.api.get('/api/user/profiles/me/', { token: user.token })).body;
    const own = `/api/user/profiles/${id}/`;
    const { body } = await one.api.patch(own, { token: user.token, form });
    const signed = pathOf(body.profile_picture);
    t.equal((await two.api.get(signed)).status, 200);
    t.equal((await two.api.get(signed.replace(/signature=./, 'signature='))).status, 404);
    const left = await two.api.patch(own, {
      token: user.token,
      form: { profile_picture: '' },
    });
    t.equal(left.body.profile_picture, null);
    t.equal((await one.api.get(signed)).status, 404);
  });

  await t.test('updateDoctor 400 leaves nothing, and 200 removes what it replaces', async (t) => {
    const refused = await one.api.patch(url, { token, form: { profile: await pictureFile(), fee: 'much' } });
    t.equal(refused.status, 400);
    t.strictSame(s3.keys(), [`hospital/pictures/${name}`]);
    const replaced = await change(two, await pictureFile('new.jpeg'));
    const next = pathOf(replaced.body.profile).replace('/pictures/', '');
    t.strictSame(s3.keys(), [`hospital/pictures/${next}`]);
    t.equal((await one.api.get(path)).status, 404);
    await Promise.all(Array.from({ length: 12 }, async (_, at) => change(at % 2 ? one : two, await pictureFile())));
    t.equal(s3.keys().length, 1, 'of many at once one is left');
    await change(one, '');
    t.strictSame(s3.keys(), []);
  });

  await t.test('several batches that are due go, from both instances at once', async (t) => {
    const bucket = await bucketOf(s3.url, 'hospital/pictures/');
    const names = Array.from({ length: 210 }, (_, at) => `p-${String(at).padStart(22, '0')}.gif`);
    for (const each of names) await bucket.write(each, Buffer.from(each));
    await one.api.database.db.execute(`insert into discarded_pictures (name, due_at)
      select name, now() + case when name like '%9.gif' then interval '1 hour' else interval '0' end
      from unnest('{${names.join()}}'::text[]) as name`);
    await Promise.all([one, two].map(({ api }) => api.app.uploads.removeAllDue(() => false)));
    const later = names.filter((each) => each.endsWith('9.gif'));
    t.strictSame(
      s3.keys(),
      later.map((each) => `hospital/pictures/${each}`),
      'what is about to be taken by a row stays',
    );
    t.equal(await one.api.database.db.$count(discardedPictures), later.length);
  });
  t.strictSame([saidOf(one), saidOf(two)], [[], []]);
});

t.test('a store that goes and comes back in mid-traffic', async (t) => {
  const s3 = await makeS3(t);
  await s3.start();
  const proxy = await openProxy(t, s3.url);
  await proxy.restore();
  const environment = { ...s3.environment, S3_ENDPOINT: proxy.url.replace(/\/$/, '') };
  const databaseUrl = await createTestDatabase(t);
  const instance = await startInstance(t, databaseUrl, environment);
  const { api } = instance;
  const { token, doctorId } = await api.registerDoctor();
  const url = `/doctors/${doctorId}/`;
  const change = async () => api.patch(url, { token, form: { profile: await pictureFile() } });
  const picture = async (): Promise<string> => pathOf((await api.get(url)).body.profile);
  t.equal((await change()).status, 200);
  const before = await picture();
  const ways: [title: string, reason: RegExp, go: () => Promise<void> | void, comeBack: () => Promise<void>][] = [
    ['is killed', /ECONNRE|socket hang up/, () => s3.kill(), () => s3.start()],
    ['can not be reached', /ECONNRE|socket hang up/, () => proxy.cut(), () => proxy.restore()],
    [
      'answers nothing',
      /imeout|no answer in time|timed out|did not complete/i,
      () => proxy.mute(),
      async () => {
        await proxy.cut();
        await proxy.restore();
      },
    ],
  ];
  for (const [index, [title, reason, go, comeBack]] of ways.entries()) {
    await t.test(`updateDoctor and getPicture 503 while it ${title}, and all else goes on`, async (t) => {
      const earlier = await errorsOf(instance);
      await go();
      const began = performance.now();
      const failed = await Promise.all([change(), api.get(before), change(), api.get(before)]);
      for (const answer of failed) {
        t.match(answer, { status: 503, headers: { 'retry-after': '5' } });
        t.equal(answer.body.detail, 'Pictures can not be stored or shown at the moment.');
      }
      t.ok(performance.now() - began < 15_000, 'within its time');
      t.ok(api.app.arePicturesAway());
      const known = performance.now();
      for (let count = 0; count < 20; count++) t.equal((await api.get(before)).status, 503);
      t.ok(performance.now() - known < 3_000, 'once it is known to be away nobody waits for it');
      t.equal((await api.get('/health/ready')).status, 200, 'it is away for all instances');
      t.equal((await api.get(url)).status, 200);
      t.equal((await api.patch(url, { token, body: { fee: 100 + index } })).status, 200);
      t.ok((await errorsOf(instance)) > earlier, 'the metrics count it');
      t.match((await api.get('/metrics')).text, /^hospital_pictures_up 0$/m);
      t.equal(saidOf(instance).length, 2 * index + 1);
      t.match(
        saidOf(instance).at(-1),
        new RegExp(`bucket of pictures, ${BUCKET} at ${environment.S3_ENDPOINT}, is away`),
      );
      t.match(saidOf(instance).at(-1), reason);
      t.notMatch(saidOf(instance).at(-1), /p-[\w-]{22}/, 'and names no picture');

      await comeBack();
      await until(() => !api.app.arePicturesAway());
      t.match(saidOf(instance).at(-1), /is back$/);
      t.equal((await api.get(before)).status, 200, 'what was stored is there');
    });
  }

  await t.test('nothing is left that nobody knows', async (t) => {
    t.equal(await picture(), before);
    await api.database.db.execute('update discarded_pictures set due_at = now()');
    await api.app.uploads.removeAllDue(() => false);
    t.strictSame(s3.keys(), [before.replace('/pictures/', '')]);
  });

  await t.test('with requests that go on and on, each is answered', async (t) => {
    let isOver = false;
    const statuses = new Map<number, number>();
    const count = (status: number) => statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const clients = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const changed = await change();
        count(changed.status);
        if (changed.status === 200) count((await api.get(await picture())).status);
        await sleep(10);
      }
    });
    const stored = () => statuses.get(200) ?? 0;
    await until(() => stored() > 8);
    await s3.kill();
    await until(() => (statuses.get(503) ?? 0) > 4);
    await s3.start();
    const then = stored();
    await until(() => stored() > then + 8);
    isOver = true;
    await Promise.all(clients);
    // Of those that change one doctor at once, some find a picture that another has replaced meanwhile.
    t.strictSame(
      [...statuses.keys()].filter((status) => ![200, 404, 503].includes(status)),
      [],
    );
    const last = (await picture()).replace('/pictures/', '');
    await api.database.db.execute('update discarded_pictures set due_at = now()');
    await api.app.uploads.removeAllDue(() => false);
    t.strictSame(s3.keys(), [last], 'the doctor’s is there, and no other');
  });
});

t.test('an instance starts while the store is away, or refuses it', async (t) => {
  const s3 = await makeS3(t);
  const databaseUrl = await createTestDatabase(t);
  const away = await startInstance(t, databaseUrl, { ...s3.environment });
  await until(() => saidOf(away).length > 0);
  t.match(saidOf(away), [/ECONNREFUSED/]);
  t.equal((await away.api.get('/doctors/')).status, 200);
  await s3.start();
  await until(() => !away.api.app.arePicturesAway());
  for (const [more, reason] of [
    [{ S3_BUCKET: 'another-bucket' }, /NoSuchBucket: The specified bucket does not exist/],
    [{ S3_SECRET_ACCESS_KEY: 'a-planted-secret' }, /SignatureDoesNotMatch/],
    [{ S3_ACCESS_KEY_ID: 'a-planted-id' }, /InvalidAccessKeyId/],
  ] as const) {
    const refused = await startInstance(t, databaseUrl, { ...s3.environment, ...more });
    await until(() => saidOf(refused).length > 0);
    t.match(saidOf(refused), [reason]);
    t.notMatch(refused.log.join('\n'), /planted/);
    t.equal((await refused.api.get(`/pictures/p-${'A'.repeat(22)}.png`)).status, 503);
  }
});

t.test('getPicture 404 where the store does not tell who may not list that a file is absent', async (t) => {
  const s3 = await makeS3(t);
  await s3.start();
  let isClosed = false;
  const gate = createServer((from, to) => {
    const { method, url: path, headers } = from;
    const upstream = ask(new URL(path as string, s3.url), { method, headers }, (answer) => {
      const isRefused = method === 'GET' && (answer.statusCode === 404 || isClosed);
      if (!isRefused) {
        to.writeHead(answer.statusCode as number, answer.headers);
        answer.pipe(to);
        return;
      }
      answer.resume();
      const message = `User x is not authorized to perform: s3:GetObject on ${path}`;
      to.writeHead(403).end(`<Error><Code>AccessDenied</Code><Message>${message}</Message></Error>`);
    });
    from.pipe(upstream);
  });
  await once(gate.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => gate.closeAllConnections());
  t.teardown(() => gate.close());
  const { port } = gate.address() as { port: number };
  const bucket = await bucketOf(`http://127.0.0.1:${port}`, '');
  await bucket.write('p-here.png', Buffer.from('here'));
  t.equal((await bucket.read('p-here.png'))?.toString(), 'here');
  t.equal(await bucket.read('p-there.png'), null);
  isClosed = true;
  await t.rejects(bucket.read('p-here.png'), {
    name: 'StoreFault',
    message: /^AccessDenied: .* on \/clinic-pictures\//,
  });
  await bucket.read('p-here.png').catch((error: Error) => t.notMatch(error.message, /p-here/));
  t.strictSame(s3.keys(), ['p-here.png']);
});

t.test('instances that keep pictures in several places say so at the start', async (t) => {
  const databaseUrl = await createTestDatabase(t);
  const s3 = await makeS3(t);
  await s3.start();
  /** Starts as many at once, and gives what each has said of it. */
  const starts = async (count: number, environment: Record<string, string>, share?: string): Promise<boolean[]> => {
    const instances: Instance[] = [];
    for (let at = 0; at < count; at++) instances.push(await startInstance(t, databaseUrl, environment, share));
    await Promise.all(instances.map(({ api }) => api.app.listen({ host: '127.0.0.1', port: 0 })));
    await Promise.all(instances.map(({ api }) => api.app.close()));
    for (const { log } of instances) t.notMatch(log.join('\n'), /is not known|is away/);
    return instances.map(({ log }) => log.some((line) => /keeps pictures elsewhere/.test(line)));
  };
  const [mount, other] = [mkdtempSync(join(tmpdir(), 'mount-')), mkdtempSync(join(tmpdir(), 'mount-'))];
  t.teardown(() => [mount, other].forEach((folder) => rmSync(folder, { recursive: true })));
  const none = [false, false, false, false];
  t.strictSame(await starts(4, {}, mount), none, 'four with one folder, each by a path of its own');
  t.strictSame(await starts(1, {}, other), [true], 'one with another');
  t.strictSame(await starts(1, {}, mount), [true], 'and so the first again');
  t.strictSame(await starts(2, {}, mount), [false, false], 'it has all to itself');
  t.strictSame(await starts(1, s3.environment), [true], 'one that begins to use a bucket');
  t.strictSame(await starts(4, s3.environment), none, 'four with the bucket');
  t.strictSame(await starts(1, { ...s3.environment, S3_PREFIX: 'clinic' }), [true], 'one with another prefix');
  t.strictSame(readdirSync(mount), ['place-id']);
  t.strictSame(s3.keys(), ['clinic/place-id', 'place-id']);
});
