import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import Fastify from 'fastify';
import t from 'tap';
import { parse } from 'yaml';
import { operations } from '../../openapi/generated/operations.js';
import { problems } from '../../openapi/generated/problems.js';
import { serveDocument } from '../../plugins/docs/documents.js';
import { buildTestApp } from '../helpers/app.js';

const file = readFileSync(new URL('../../../openapi/openapi.yaml', import.meta.url), 'utf8');

/** What browsers send that go to an address. */
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8';

t.test('a document that is not there stops the start', async (t) => {
  const file = new URL('nothing.json', import.meta.url);
  t.throws(() => serveDocument(Fastify(), { path: '/nothing', type: 'application/json', file }), { code: 'ENOENT' });
});

t.test('documentation', async (t) => {
  const api = await buildTestApp(t, { RATE_LIMIT_ANON: '50', CORS_ORIGINS: 'https://front.example' });

  await t.test('/openapi.yaml is the contract, byte for byte', async (t) => {
    for (const path of ['/openapi.yaml', '/openapi.yaml/']) {
      const answer = await api.get(path);
      t.match(answer, { status: 200, headers: { 'content-type': 'application/yaml' } });
      t.ok(answer.text === file);
    }
  });

  await t.test('/openapi.yaml is plain: no aliases, and nothing that YAML 1.1 reads in another way', async (t) => {
    const { text } = await api.get('/openapi.yaml');
    t.strictSame(parse(text, { version: '1.1', maxAliasCount: 0 }), parse(text));
  });

  await t.test('/openapi.json means the same', async (t) => {
    const answer = await api.get('/openapi.json');
    t.match(answer, { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' } });
    t.strictSame(answer.body, JSON.parse(JSON.stringify(parse(file))));
    t.notMatch(answer.text, /"&|"\*/, 'without anchors and aliases');
  });

  await t.test('app.swagger() is the contract too', async (t) => {
    const contract = JSON.parse(JSON.stringify(parse(file))) as object;
    t.equal(JSON.stringify(api.app.swagger()), JSON.stringify(contract));
    t.strictSame(parse(api.app.swagger({ yaml: true })), contract);
    t.ok('paths' in api.app.swagger());
  });

  for (const path of ['/openapi.yaml', '/openapi.json', '/openapi-sdk.json', '/openapi-3.0.yaml']) {
    await t.test(`${path} is named, coded as the client takes it, and for pages of every origin`, async (t) => {
      const whole = await api.get(path, { headers: { origin: 'https://elsewhere.example' } });
      t.equal(whole.headers['access-control-allow-origin'], '*');
      t.equal(whole.headers['access-control-allow-credentials'], undefined);
      t.equal(whole.headers['vary'], 'Origin, Accept-Encoding');
      const named = await api.get(path, { headers: { origin: 'https://front.example' } });
      t.equal(named.headers['access-control-allow-origin'], 'https://front.example', 'of whom credentials are taken');
      t.equal(named.headers['access-control-allow-credentials'], 'true');
      t.equal(whole.headers['content-encoding'], undefined);
      const decoders = { br: brotliDecompressSync, gzip: gunzipSync };
      for (const [asked, coding] of [
        ['gzip', 'gzip'],
        ['gzip, deflate, br', 'br'],
        ['br;q=0, gzip;q=0.5', 'gzip'],
        ['zstd', undefined],
        ['', undefined],
      ] as const) {
        const coded = await api.get(path, { headers: { 'accept-encoding': asked } });
        t.equal(coded.headers['content-encoding'], coding, asked);
        const text = coding === undefined ? coded.bytes : decoders[coding](coded.bytes);
        t.ok(text.equals(whole.bytes), asked);
        t.equal(coded.headers['etag'], whole.headers['etag']);
      }
      const tag = String(whole.headers['etag']);
      for (const condition of [tag, `"x", ${tag}`, '*']) {
        const known = await api.get(path, { headers: { 'if-none-match': condition } });
        t.match(known, { status: 304, text: '' }, condition);
        t.equal(known.headers['etag'], tag);
      }
      t.equal((await api.get(path, { headers: { 'if-none-match': '"x"' } })).status, 200);
    });
  }

  await t.test('/ leads people by a page, and everybody else to /docs/', async (t) => {
    for (const accept of [undefined, '*/*', 'application/json', 'application/json, text/html;q=0.5']) {
      const answer = await api.get('/', accept === undefined ? {} : { headers: { accept } });
      t.match(answer, { status: 302, headers: { location: 'docs/', vary: /Accept/ } }, accept ?? 'none');
    }
    const page = await api.get('/', { headers: { accept: BROWSER } });
    t.match(page, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8', vary: 'Origin, Accept' } });
    for (const [, path = ''] of page.text.matchAll(/(?:href|src)="([^"]+)"/g)) {
      t.equal((await api.get(path, { headers: { accept: BROWSER } })).status, 200, path);
    }
  });

  await t.test('/reference/ asks nothing of other servers', async (t) => {
    const page = await api.get('/reference/');
    t.equal(page.status, 200);
    t.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; /);
    const sources = [...page.text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, source = '']) => source);
    t.ok(sources.every((source) => source.startsWith('../')));
    t.notMatch((await api.get('/reference/redoc.js')).text, 'cdn.redoc.ly');
  });

  await t.test('/guide/ has a section for each operation, and each of its links leads somewhere', async (t) => {
    const page = await api.get('/guide/');
    t.match(page, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    for (const name of Object.keys(operations)) t.match(page.text, `<code>${name}</code>`);
    const ids = [...page.text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    t.equal(new Set(ids).size, ids.length, 'each address is of one place');
    for (const [, target = ''] of page.text.matchAll(/href="([^"]+)"/g)) {
      const { host, pathname, hash } = new URL(target, 'http://localhost:8000/guide/');
      if (hash !== '') t.ok(ids.includes(hash.slice(1)), target);
      else if (host === 'localhost:8000')
        t.match(await api.get(pathname, { headers: { accept: BROWSER } }), { status: 200 });
    }
  });

  await t.test('an unknown path is a page to people, and a problem to everybody else', async (t) => {
    for (const path of ['/nothing', '/problems/nothing', '/docs/nothing/']) {
      const page = await api.get(path, { headers: { accept: BROWSER } });
      t.match(page, { status: 404, headers: { 'content-type': 'text/html; charset=utf-8' } }, path);
      t.match(page.text, 'There is nothing here');
      for (const accept of ['*/*', 'application/json', 'application/json, text/plain, */*', '']) {
        t.match(await api.get(path, { headers: { accept } }), { status: 404, body: { type: '/problems/not-found' } });
      }
    }
    const posted = await api.post('/nothing', { headers: { accept: BROWSER } });
    t.match(posted, { status: 404, body: { type: '/problems/not-found' } });
    const record = await api.get('/doctors/1/', { headers: { accept: BROWSER } });
    t.match(record, { status: 404, body: { type: '/problems/not-found' } }, 'an operation answers as it is documented');
  });

  for (const path of ['/docs/', '/docs']) {
    await t.test(`${path} works with its own policy, over plain HTTP too`, async (t) => {
      const page = await api.get(path);
      t.match(page, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
      t.match(page.text, '<title>Hospital Management API</title>');
      t.match(page.text, 'data-accounts="[]"', 'nobody is named');
      t.equal(page.headers['cross-origin-opener-policy'], 'same-origin');
      const policy = page.headers['content-security-policy'] ?? '';
      t.match(policy, "frame-ancestors 'self'");
      t.notMatch(policy, /upgrade-insecure-requests|unsafe-inline[^;]*;? ?script|unsafe-eval/);
      const scripts = /script-src ([^;]*)/.exec(policy)?.[1] ?? '';
      t.match(scripts, "'self'");
      const allows = (text: string) =>
        scripts.includes(`'sha256-${createHash('sha256').update(text).digest('base64')}'`);
      const sources: string[] = [];
      for (const [, attributes = '', inline = ''] of page.text.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)) {
        const source = /src="([^"]+)"/.exec(attributes)?.[1];
        if (source === undefined) t.ok(allows(inline), `the policy lets this run: ${inline}`);
        else sources.push(source);
      }
      t.notMatch(page.text, / on\w+=/, 'no handlers in attributes');
      for (const [, style = ''] of page.text.matchAll(/<link [^>]*href="([^"]+)"/g)) sources.push(style);
      t.ok(sources.length >= 5);
      for (const source of sources) {
        const { pathname, origin } = new URL(source, `http://localhost:8000${path}`);
        t.equal(origin, 'http://localhost:8000', source);
        t.equal((await api.get(pathname)).status, 200, source);
      }
    });
  }

  await t.test('Swagger UI has no rendering of the contract besides the served ones', async (t) => {
    for (const path of ['/docs/json', '/docs/yaml', '/docs/static/swagger-initializer.js']) {
      t.match(await api.get(path), { status: 404, body: { type: '/problems/not-found' } }, path);
    }
  });

  await t.test('the documents are not rate limited', async (t) => {
    for (let index = 0; index < 60; index++) t.equal((await api.get('/openapi.yaml')).status, 200);
  });
});

t.test('problem types', async (t) => {
  const api = await buildTestApp(t);
  const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  /** What is left of a page to read. */
  const textOf = (html: string) => html.replaceAll(/<\/?[a-z!][^<>]*>/g, '');

  for (const [slug, { title, status, description, why, next, example }] of Object.entries(problems)) {
    await t.test(`getProblemType 200 explains ${slug}`, async (t) => {
      const page = await api.get(`/problems/${slug}`);
      t.match(page, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
      const text = textOf(page.text);
      for (const part of [title, `Status ${status}`, description, why, next, example.detail]) {
        t.ok(text.includes(escaped(part).replaceAll('`', '')), part);
      }
      t.notMatch(text, /[<>]/, 'text is escaped');
      t.match(page.text, 'href="../problems/"', 'there is a way back');
      const policy = page.headers['content-security-policy'] ?? '';
      t.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; /);
      t.notMatch(policy, 'unsafe');
    });
  }

  await t.test('/problems/ lists all of them', async (t) => {
    const { status, text } = await api.get('/problems/');
    t.equal(status, 200);
    for (const slug of Object.keys(problems)) t.match(text, `href="../problems/${slug}"`);
  });

  await t.test('some text needs escaping, so that the above can fail', async (t) => {
    t.ok(Object.values(problems).some(({ next }) => next.includes('<')));
  });

  await t.test('getProblemType 404', async (t) => {
    for (const slug of ['nothing', 'constructor', '__proto__', 'toString', '%3Cscript%3E', 'x'.repeat(61), '%00']) {
      const answer = await api.get(`/problems/${slug}`);
      t.match(answer, { status: 404, body: { type: '/problems/not-found' } }, slug);
      t.notMatch(answer.text, 'script');
    }
  });
});
