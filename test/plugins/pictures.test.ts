import { Type } from '@sinclair/typebox';
import { eq, sql } from 'drizzle-orm';
import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { openDatabase, type Database } from '../../db/client.js';
import { openEmbedded } from '../../db/embedded/index.js';
import { discardedPictures, doctors, profiles, users } from '../../db/tables/index.js';
import type { Operation } from '../../openapi/operation.js';
import { ProblemError } from '../../openapi/problem-error.js';
import type { Turn } from '../../openapi/turns.js';
import databasePlugin from '../../plugins/database.js';
import errors from '../../plugins/errors.js';
import { answerNotModified } from '../../plugins/entity-tags.js';
import multipart, { readForm } from '../../plugins/multipart.js';
import { discardPictures, encodePictures, storePictures } from '../../plugins/pictures/hooks.js';
import pictures from '../../plugins/pictures/index.js';
import { pictureUrls, type PictureUrls } from '../../plugins/pictures/urls.js';
import validation from '../../plugins/validation.js';
import { encode } from '../../plugins/pictures/encoder.js';
import { hashPassword } from '../../src/lib/passwords.js';
import { keepFull } from '../helpers/line.js';
import { madeUp } from '../helpers/operations.js';
import { databaseEndsWithUs } from '../helpers/reaper.js';

const MINUTE = 60_000;
/** On the edge of a window of signatures. */
const NOON = Date.UTC(2030, 0, 1, 12);

const root = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), 'pictures-'));
fs.chmodSync(root, 0o755);
const dataDir = join(root, 'data');
databaseEndsWithUs(dataDir);
const embedded = await openEmbedded({ dataDir, settings: { fsync: 'off' } });
const database = await openDatabase({ url: embedded.url, dataDir, pool: 4 });
const { db } = database;
await database.migrated;
const [user] = await db
  .insert(users)
  .values({ username: 'ada', email: 'ada@example.org', passwordHash: '-' })
  .returning();
const userId = user?.id as number;
await db.insert(doctors).values({ userId });
await db.insert(profiles).values({ userId });
t.teardown(async () => {
  await database.close();
  await embedded.stop();
  const home = join(dataDir, 'postgres');
  if (fs.existsSync(home)) fs.rmSync(dirname(fs.realpathSync(home)), { recursive: true });
  fs.rmSync(root, { recursive: true });
});

const takesForms = { consumes: ['application/json', 'multipart/form-data'] };

/** The hooks of an operation that are about pictures. */
function hooksOf(operation: Operation) {
  const isNeeded = <Hook>(hook: Hook | undefined): hook is Hook => hook !== undefined;
  return {
    preValidation: [readForm(operation), encodePictures(operation)].filter(isNeeded),
    preHandler: [storePictures(operation)].filter(isNeeded),
    onSend: [answerNotModified(operation), discardPictures(operation)].filter(isNeeded),
  };
}

const bodyWith = (visibility: object) =>
  Type.Object({
    note: Type.Optional(Type.String({ maxLength: 9 })),
    picture: Type.Optional(Type.Unsafe<string | null>({ format: 'binary', ...visibility })),
  });
interface Body {
  note?: string;
  picture?: string | null;
}

interface Bench {
  app: FastifyInstance;
  folder: string;
  /** What the app logged, and the time it sees. */
  log: { level: number; msg: string }[];
  clock: { now: number };
  files: () => string[];
}

/** An app with a doctor, whose picture is public, and a profile, whose picture is signed. */
async function build(t: Test, own: { folder?: string; database?: Database } = {}): Promise<Bench> {
  const folder = own.folder ?? fs.mkdtempSync(join(root, 'files-'));
  const log: Bench['log'] = [];
  const clock = { now: NOON };
  const stream = { write: (line: string) => void log.push(JSON.parse(line) as Bench['log'][number]) };
  const app = Fastify({ logger: { level: 'warn', stream } });
  app.decorateRequest('caller', null);
  await app.register(errors);
  await app.register(databasePlugin, { database: own.database ?? database });
  await app.register(validation);
  await app.register(multipart, {});
  app.decorate('operate', (operation, handler) => void app.route({ ...operation, ...hooksOf(operation), handler }));
  await app.register(pictures, { place: { folder }, secrets: ['a secret for the test'], now: () => clock.now });
  app.forms.route({
    method: 'PUT',
    url: '/doctor/',
    schema: { body: bodyWith({}) },
    ...hooksOf(madeUp({ tag: 'doctors', ...takesForms }, 'PUT', bodyWith({}))),
    handler: async (request) => {
      const { picture, note } = request.body as Body;
      await db.transaction(async (tx) => {
        if (picture !== undefined) await tx.update(doctors).set({ picture }).where(eq(doctors.userId, userId));
        if (note === 'conflict') throw new ProblemError('already-exists', 'There is one.');
      });
      if (note === 'late') throw new Error('after the commit');
      return { picture: app.pictures.url('http://a.test', picture ?? null) };
    },
  });
  app.forms.route({
    method: 'PUT',
    url: '/profile/',
    schema: { body: bodyWith({ 'x-visibility': 'signed' }) },
    ...hooksOf(madeUp({ tag: 'profiles', ...takesForms }, 'PUT', bodyWith({ 'x-visibility': 'signed' }))),
    handler: async (request) => {
      const { picture = null } = request.body as Body;
      await db.update(profiles).set({ picture }).where(eq(profiles.userId, userId));
      return { picture: app.pictures.url('', picture) };
    },
  });
  app.route({
    method: 'GET',
    url: '/doctor/',
    ...hooksOf(madeUp({ tag: 'doctors' })),
    handler: () => ({}),
  });
  app.route({
    method: 'DELETE',
    url: '/doctor/',
    ...hooksOf(madeUp({ tag: 'doctors' }, 'DELETE')),
    handler: (_request, reply) => reply.code(204).send(),
  });
  app.route({
    method: 'POST',
    url: '/contacts/',
    ...hooksOf(madeUp({ tag: 'contacts' }, 'POST')),
    handler: () => ({}),
  });
  await app.ready();
  t.teardown(async () => {
    await app.close();
    await db.update(doctors).set({ picture: null });
    await db.update(profiles).set({ picture: null });
    await db.delete(discardedPictures);
  });
  return { app, folder, log, clock, files: () => fs.readdirSync(folder).sort() };
}

async function put(app: FastifyInstance, url: string, picture: Buffer | string, fields: Record<string, string> = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  if (typeof picture === 'string') form.append('picture', picture);
  else form.append('picture', new Blob([new Uint8Array(picture)]), 'me.png');
  const response = new Response(form);
  return app.inject({
    method: 'PUT',
    url,
    headers: { 'content-type': response.headers.get('content-type') ?? '' },
    payload: Buffer.from(await response.arrayBuffer()),
  });
}

/** The name of the picture that an answer gives. */
const nameIn = (answer: LightMyRequestResponse): string =>
  /\/pictures\/([^?]+)/.exec(answer.json<{ picture: string }>().picture)?.[1] ?? '';
const faultsIn = (answer: LightMyRequestResponse): unknown => answer.json<{ errors?: unknown }>().errors;
const listed = async (): Promise<string[]> =>
  (await db.select().from(discardedPictures)).map(({ name }) => name).sort();
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5);
}

const plain = (width: number, height: number, background = '#ff0000') =>
  sharp({ create: { width, height, channels: 3, background }, limitInputPixels: false });
const small = await plain(40, 20).jpeg().toBuffer();

void t.test('replaceDoctor 200 and getPicture 200 for each format', async (t) => {
  const { app, folder, files } = await build(t);
  for (const format of ['jpeg', 'png', 'webp', 'gif'] as const) {
    const answer = await put(app, '/doctor/', await plain(40, 20).toFormat(format).toBuffer());
    t.equal(answer.statusCode, 200, format);
    const name = nameIn(answer);
    t.match(name, new RegExp(`^p-[\\w-]{22}\\.${format}$`));
    t.equal(answer.json<{ picture: string }>().picture, `http://a.test/pictures/${name}`);
    t.same(files(), [name]);
    t.equal(fs.statSync(join(folder, name)).mode & 0o777, 0o600);
    t.same(await listed(), [], 'the row took the name off the list');

    const picture = await app.inject(`/pictures/${name}`);
    t.equal(picture.statusCode, 200);
    t.match(picture.headers, {
      'content-type': `image/${format}`,
      'content-length': String(fs.statSync(join(folder, name)).size),
      'cache-control': 'public, max-age=31536000, immutable',
      'content-disposition': 'inline',
      'cross-origin-resource-policy': 'cross-origin',
      'x-content-type-options': 'nosniff',
      etag: `"${name}"`,
    });
    t.match(await sharp(picture.rawPayload).metadata(), { format, width: 40, height: 20 });
    for (const tag of [`"${name}"`, `"other", W/"${name}"`, '*']) {
      const known = await app.inject({ url: `/pictures/${name}`, headers: { 'if-none-match': tag } });
      t.match([known.statusCode, known.body, known.headers.etag], [304, '', `"${name}"`]);
    }
    const other = await app.inject({ url: `/pictures/${name}`, headers: { 'if-none-match': '"other"' } });
    t.equal(other.statusCode, 200);
    const head = await app.inject({ method: 'HEAD', url: `/pictures/${name}` });
    t.match([head.statusCode, head.headers['content-length'], head.body], [200, picture.headers['content-length'], '']);
  }
});

void t.test('replaceDoctor 200 keeps the picture and nothing that came with it', async (t) => {
  const { app, folder } = await build(t);
  const store = async (bytes: Buffer): Promise<Buffer> => {
    const answer = await put(app, '/doctor/', bytes);
    t.equal(answer.statusCode, 200, answer.body);
    return fs.readFileSync(join(folder, nameIn(answer)));
  };
  const exif = {
    IFD0: { Copyright: 'who-made-it' },
    IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 3230/100', GPSLongitudeRef: 'W', GPSLongitude: '0/1 7/1 0/1' },
  };
  const xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- who-made-it --></x:xmpmeta>';

  for (const format of ['jpeg', 'png', 'webp'] as const) {
    const tagged = plain(40, 20).withIccProfile('p3').withExif(exif).withXmp(xmp);
    const bytes = await tagged.toFormat(format, { lossless: true, quality: 100 }).toBuffer();
    t.match(await sharp(bytes).metadata(), { exif: Buffer, xmp: Buffer, icc: Buffer }, 'before');
    const stored = await store(bytes);
    const { exif: exifLeft, xmp: xmpLeft, icc, iptc, space } = await sharp(stored).metadata();
    t.match([exifLeft, xmpLeft, icc, iptc, space], [undefined, undefined, undefined, undefined, 'srgb'], format);
    t.notOk(stored.includes('who-made-it'));
    const [red = 0, green = 255, blue = 255] = await sharp(stored).removeAlpha().raw().toBuffer();
    t.ok(red > 245 && green < 12 && blue < 12, `the colour is the one in the profile: ${red} ${green} ${blue}`);
  }

  const sideways = await plain(40, 20).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  const upright = await sharp(await store(sideways)).metadata();
  t.match([upright.width, upright.height, upright.orientation], [20, 40, undefined]);

  const big = await sharp(await store(await plain(2400, 4000).jpeg().toBuffer())).metadata();
  t.match([big.width, big.height], [960, 1600]);

  const frames = await Promise.all(['#f00', '#00f'].map((colour) => plain(40, 20, colour).png().toBuffer()));
  for (const format of ['gif', 'webp'] as const) {
    const animation = await sharp(frames, { join: { animated: true } })
      .toFormat(format)
      .toBuffer();
    t.equal((await sharp(animation).metadata()).pages, 2);
    const still = await sharp(await store(animation)).metadata();
    t.match([still.format, still.width, still.height, still.pages ?? 1], [format, 40, 20, 1]);
  }

  // Three bytes between segments: libjpeg warns, every viewer shows it.
  const at = small.indexOf(Buffer.from([0xff, 0xda]));
  await store(Buffer.concat([small.subarray(0, at), Buffer.alloc(3), small.subarray(at)]));
});

void t.test('replaceDoctor 400 when the file is no picture that the contract takes', async (t) => {
  const { app, files, log } = await build(t);
  const png = await plain(400, 400).png().toBuffer();
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
  const noisy = sharp({ create: { width: 400, height: 300, channels: 3, background: '#888', noise } });
  const kind = 'must be a JPEG, PNG, WebP or GIF picture';
  const whole = 'is damaged or cut short';
  const cases: [string, Buffer, string][] = [
    ['text', Buffer.from('no picture at all'), kind],
    [
      'SVG',
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'),
      kind,
    ],
    ['TIFF', await plain(9, 9).tiff().toBuffer(), kind],
    ['AVIF', await plain(9, 9).avif().toBuffer(), kind],
    ['PDF', Buffer.from('%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF'), kind],
    ['only a signature', png.subarray(0, 20), whole],
    ['a line', await plain(65_536, 1).png().toBuffer(), 'must have at most 65,535 pixels on a side'],
    ['a column', await plain(1, 65_536).png().toBuffer(), 'must have at most 65,535 pixels on a side'],
    ['41 megapixels', await plain(8200, 5000).png().toBuffer(), 'must have at most 40 megapixels'],
  ];
  for (const format of ['jpeg', 'png', 'webp', 'gif'] as const) {
    const bytes = await noisy.clone().toFormat(format).toBuffer();
    cases.push([`60 % of a ${format}`, bytes.subarray(0, Math.floor(bytes.length * 0.6)), whole]);
  }
  for (const [title, bytes, fault] of cases) {
    const answer = await put(app, '/doctor/', bytes);
    t.match([answer.statusCode, faultsIn(answer)], [400, { picture: [fault] }], title);
  }
  const both = await put(app, '/doctor/', Buffer.from('no'), { note: 'far too long' });
  t.same(faultsIn(both), { picture: [kind], note: ['must have at most 9 characters'] });
  const text = await put(app, '/doctor/', 'p-AAAAAAAAAAAAAAAAAAAAAA.png');
  t.match(faultsIn(text), { picture: [/^must be a file/] });
  t.same([files(), await listed(), log], [[], [], []]);
  t.equal((await put(app, '/doctor/', await plain(8000, 5000).png().toBuffer())).statusCode, 200, '40 megapixels');
  t.equal((await put(app, '/doctor/', await plain(65_535, 2).png().toBuffer())).statusCode, 200, 'as a JPEG may be');
});

void t.test('replaceDoctor 413 when the file is over 5 MB', async (t) => {
  const { app, files } = await build(t);
  const padded = (length: number) => Buffer.concat([small, Buffer.alloc(length - small.length)]);
  t.equal((await put(app, '/doctor/', padded(5_000_001))).statusCode, 413);
  t.same([files(), await listed()], [[], []]);
  t.equal((await put(app, '/doctor/', padded(5_000_000))).statusCode, 200);
});

void t.test('replaceDoctor 200 removes a picture, and the file of one that went', async (t) => {
  const { app, files } = await build(t);
  const first = nameIn(await put(app, '/doctor/', small));
  t.same(files(), [first]);
  const second = nameIn(await put(app, '/doctor/', small));
  t.not(first, second);
  t.same(files(), [second]);
  t.equal((await app.inject(`/pictures/${first}`)).statusCode, 404);

  const json = await app.inject({ method: 'PUT', url: '/doctor/', payload: { note: 'no file' } });
  t.equal(json.statusCode, 200);
  t.same(files(), [second], 'a file that is left out stays');
  t.equal((await put(app, '/doctor/', Buffer.alloc(0))).statusCode, 400);
  t.same(files(), [second], 'a file of no bytes removes nothing');
  t.same((await put(app, '/doctor/', '')).json(), { picture: null });
  t.same([files(), await listed()], [[], []]);
});

void t.test('replaceDoctor 409 and 500 leave no file that no row has', async (t) => {
  const { app, files } = await build(t);
  const kept = nameIn(await put(app, '/doctor/', small));
  t.equal((await put(app, '/doctor/', small, { note: 'conflict' })).statusCode, 409);
  t.same([files(), await listed()], [[kept], []]);

  t.equal((await put(app, '/doctor/', small, { note: 'late' })).statusCode, 500);
  const [row] = await db.select({ picture: doctors.picture }).from(doctors);
  t.not(row?.picture, kept, 'the row has the new picture');
  t.match(files(), [row?.picture as string, kept].sort(), 'and so its file stays');
  t.same(await listed(), [kept]);
  await put(app, '/doctor/', '');
  t.same(files(), []);
});

void t.test('replaceDoctor 503 when the file can not be written', async (t) => {
  const { app, folder, files, log } = await build(t);
  fs.rmSync(folder, { recursive: true });
  const answer = await put(app, '/doctor/', small);
  t.equal(answer.statusCode, 503);
  t.notMatch(answer.body, folder);
  t.same(await listed(), []);
  t.match(log, [{ msg: /folder of pictures.* is away: ENOENT/ }]);
  fs.mkdirSync(folder);
  t.equal((await put(app, '/doctor/', small)).statusCode, 200);
  t.equal(files().length, 1);
});

void t.test('replaceDoctor 200 for many at once', async (t) => {
  const { app, files, log } = await build(t);
  const bytes = await plain(3000, 2000).png().toBuffer();
  const answers = await Promise.all(Array.from({ length: 12 }, () => put(app, '/doctor/', bytes)));
  t.same(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200]));
  t.equal(new Set(answers.map(nameIn)).size, 12);
  const [row] = await db.select({ picture: doctors.picture }).from(doctors);
  t.match(row?.picture, /^p-.*\.png$/);
  t.same([files(), await listed(), log], [[row?.picture], [], []]);
});

void t.test('replaceDoctor 503 where too many pictures wait, and nothing is left of them', async (t) => {
  const { app, files, log } = await build(t);
  const count = await keepFull(
    (turn) => encode(small, turn),
    async () => {
      const answers = await Promise.all(Array.from({ length: 12 }, () => put(app, '/doctor/', small)));
      for (const answer of answers) {
        t.match(answer, { statusCode: 503, headers: { 'retry-after': '5' } });
        t.match(answer.json(), { type: '/problems/unavailable' });
      }
    },
  );
  t.ok(count > 20);
  t.same([files(), await listed(), log], [[], [], []]);
  t.equal((await put(app, '/doctor/', small)).statusCode, 200);
});

void t.test(
  'replaceDoctor 200 while the line of passwords is full, and a password is hashed while that of pictures is',
  async (t) => {
    const { app } = await build(t);
    const hash = (turn: Turn) => hashPassword('plum-Tractor-91', turn);
    await keepFull(hash, async () => {
      t.equal((await put(app, '/doctor/', small)).statusCode, 200);
    });
    await keepFull(
      (turn) => encode(small, turn),
      async () => {
        t.match(await hash({ by: 'ada' }), /^\$argon2id\$/);
      },
    );
  },
);

void t.test('what is due is removed', async (t) => {
  const names = (kind: string, count: number) =>
    Array.from({ length: count }, (_, index) => `p-${kind.repeat(18)}${String(index).padStart(4, '0')}.gif`);
  const discard = async (folder: string, due: string[], later: string[]) => {
    for (const name of [...due, ...later]) fs.writeFileSync(join(folder, name), '');
    await db
      .insert(discardedPictures)
      .values([
        ...due.map((name) => ({ name, dueAt: sql`now() - interval '1 minute'` })),
        ...later.map((name) => ({ name, dueAt: sql`now() + interval '1 minute'` })),
      ]);
  };

  const folder = join(root, 'made', 'by', 'the plugin');
  fs.mkdirSync(folder, { recursive: true });
  await discard(folder, names('a', 250), names('b', 1));
  fs.writeFileSync(join(folder, `${names('a', 1)[0]}.part`), 'cut off by a crash');
  fs.rmSync(join(folder, names('a', 2)[1] as string));
  let hourly: (() => void) | undefined;
  const { setInterval } = globalThis;
  t.intercept(globalThis, 'setInterval', {
    value: (callback: () => void, milliseconds: number) => {
      if (milliseconds === 60 * MINUTE) hourly = callback;
      return setInterval(callback, milliseconds);
    },
  });
  const { app, files, log } = await build(t, { folder });
  await until(() => files().length === 1);
  await until(async () => (await listed()).length === 1);
  t.same([files(), await listed()], [names('b', 1), names('b', 1)], 'at the start, in more than one batch');

  await discard(folder, names('c', 1), []);
  hourly?.();
  await until(async () => (await listed()).length === 1);
  t.same(files(), names('b', 1), 'every hour');

  const latest = nameIn(await put(app, '/doctor/', small));
  await discard(folder, names('d', 150), []);
  t.equal((await app.inject('/doctor/')).statusCode, 200);
  await app.inject({ method: 'POST', url: '/contacts/' });
  await app.inject({ method: 'PUT', url: '/doctor/', payload: { note: 'conflict' } });
  t.equal(files().length, 152, 'not after a read, another kind of record or a failed request');
  await put(app, '/doctor/', '');
  t.equal(files().length, 52, 'after a write, in one batch');
  t.notOk(files().includes(latest), 'its own before older ones');
  t.same(log, []);

  await discard(folder, names('e', 1), []);
  const stuck = join(folder, names('e', 1)[0] as string);
  fs.rmSync(stuck);
  fs.mkdirSync(stuck);
  t.equal((await app.inject({ method: 'DELETE', url: '/doctor/' })).statusCode, 204, 'a failure is not the request’s');
  t.match(log, [{ level: 40, msg: 'pictures stay until the hourly removal' }]);
  hourly?.();
  await until(() => log.length > 1);
  t.match(log[1], { level: 40, msg: 'pictures stay until the next hourly removal' });
  t.ok((await listed()).includes(names('e', 1)[0] as string), 'it stays listed');
});

void t.test('the start does not wait for the database, nor the end', async (t) => {
  const never: Database = { ...database, migrated: new Promise(() => undefined), isMigrated: () => false };
  const folder = join(root, 'new folder');
  const { app } = await build(t, { folder, database: never });
  t.equal(fs.statSync(folder).mode & 0o777, 0o700);
  await app.close();
});

void t.test('getPicture 200 and 404 for a signed picture', async (t) => {
  const { app, clock } = await build(t);
  clock.now = NOON + 5 * MINUTE;
  const { picture } = (await put(app, '/profile/', small)).json<{ picture: string }>();
  const [, name = '', expires = '', signature = ''] =
    /^\/pictures\/(s-[\w-]{22}\.jpeg)\?expires=(\d+)&signature=([\w-]{43})$/.exec(picture) ?? [];
  t.equal(Number(expires) * 1000, NOON + 30 * MINUTE);
  const answer = await app.inject(picture);
  t.match([answer.statusCode, answer.headers['cache-control']], [200, 'private, max-age=1500']);
  t.match(await sharp(answer.rawPayload).metadata(), { format: 'jpeg', width: 40 });

  clock.now = NOON + 15 * MINUTE - 1;
  t.equal(app.pictures.url('', name), picture, 'one URL for a window');
  clock.now = NOON + 15 * MINUTE;
  t.not(app.pictures.url('', name), picture);
  clock.now = NOON + 30 * MINUTE - 1;
  t.equal((await app.inject(picture)).headers['cache-control'], 'private, max-age=1');

  const other = app.pictures.url('', `s-${'A'.repeat(22)}.jpeg`) as string;
  const refused = {
    absent: other,
    'without a signature': `/pictures/${name}`,
    'without a time': `/pictures/${name}?signature=${signature}`,
    'with a later time': picture.replace(expires, String(Number(expires) + 1)),
    'with another signature': picture.replace(
      signature,
      signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')),
    ),
    'with a short signature': picture.slice(0, -1),
    'with a signature beyond ASCII': picture.replace(signature, encodeURIComponent('é'.repeat(43))),
    'with the signature of another': other.replace('A'.repeat(22), name.slice(2, 24)),
    'as if it were public': picture.replace('s-', 'p-'),
  };
  const body = (response: LightMyRequestResponse) => ({ ...response.json<object>(), instance: '' });
  const absent = await app.inject(`/pictures/p-${'A'.repeat(22)}.jpeg`);
  for (const [title, url] of Object.entries(refused)) {
    const response = await app.inject({ url, headers: { 'if-none-match': `"${name}"` } });
    t.equal(response.statusCode, 404, title);
    t.same(body(response), body(absent));
  }
  clock.now = NOON + 30 * MINUTE;
  t.equal((await app.inject(picture)).statusCode, 404, 'expired');
  t.same(faultsIn(await app.inject(picture.replace(expires, 'soon'))), { expires: ['must be an integer'] });
});

void t.test('a signed URL holds while its secret is in the list', (t) => {
  const [old, both, next] = [['old'], ['next', 'old'], ['next']].map((secrets) => pictureUrls(secrets, () => NOON)) as [
    PictureUrls,
    PictureUrls,
    PictureUrls,
  ];
  const name = `s-${'A'.repeat(22)}.png`;
  const shows = (by: PictureUrls, signed: PictureUrls): boolean => {
    const { searchParams } = new URL(signed.url('http://a.test', name) ?? '');
    const [expires, signature = ''] = [Number(searchParams.get('expires')), searchParams.get('signature') ?? ''];
    return by.cacheControl(name, { expires, signature }) !== undefined;
  };
  t.strictSame(
    [old, both, next].map((by) => [old, both, next].map((signed) => shows(by, signed))),
    [
      [true, false, false],
      [true, true, true],
      [false, true, true],
    ],
  );
  t.end();
});

void t.test('getPicture 404 for a name that no picture has', async (t) => {
  const { app, folder } = await build(t);
  fs.writeFileSync(join(folder, 'other.png'), 'secret');
  fs.writeFileSync(join(folder, '..', `p-${'A'.repeat(22)}.png`), 'secret');
  fs.writeFileSync(join(folder, `p-${'A'.repeat(22)}.png.part`), 'secret');
  const names = ['other.png', '..%2Fdata', '%2e%2e%2f%2e%2e%2fetc%2fpasswd', `..%2Fp-${'A'.repeat(22)}.png`, 'p-.png'];
  names.push(`p-${'A'.repeat(22)}.png.part`, `p-${'A'.repeat(22)}.png%00`, `p-${'A'.repeat(22)}.PNG`, 'x'.repeat(90));
  names.push(`p-${'A'.repeat(22)}.png%0A`, '..%5C..%5Csecret', `./p-${'A'.repeat(22)}.png`);
  for (const name of names) t.equal((await app.inject(`/pictures/${name}`)).statusCode, 404, name);
});

void t.test('getPicture 500 when the file can not be read', async (t) => {
  const { app, folder, log } = await build(t);
  const name = `p-${'A'.repeat(22)}.png`;
  fs.mkdirSync(join(folder, name));
  const answer = await app.inject(`/pictures/${name}`);
  t.equal(answer.statusCode, 500);
  t.notMatch(answer.body, folder);
  t.equal(answer.headers['cache-control'], undefined);
  t.match(log, [{ msg: 'unexpected error' }]);
});
