/** Sessions on the page of Swagger UI, in a real browser: whose they are, what ends them, and where the page stands. */
import { once } from 'node:events';
import { createServer, request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import type { Body } from '../helpers/app.js';
import { openBrowser } from '../helpers/browser.js';
import { createTestDatabase } from '../helpers/database.js';
import { dataFolder, startDemo } from '../helpers/process.js';

const start = async (t: Test, environment: Record<string, string> = {}): Promise<string> => {
  const demo = { DATABASE_URL: await createTestDatabase(t), DATA_DIR: dataFolder(t), ...environment };
  return (await startDemo(t, demo)).url;
};

const ENDED = 'Session ended, log in again';

async function logIn(page: Page, username: string): Promise<void> {
  await page.getByRole('button', { name: `Log in as ${username}` }).click();
  await page.getByText(`Signed in as ${username}.`).waitFor();
}

/** Executes the operation that tells who one is; the status and the answer that the page shows. */
async function whoAmI(page: Page): Promise<{ status: string; username: string | undefined }> {
  const operation = page.locator('#operations-profiles-getMyProfile');
  // The address has the open operation, which a reload opens again by itself.
  if (!page.url().endsWith('#/profiles/getMyProfile')) await operation.locator('.opblock-summary-control').click();
  const arrived = page.waitForResponse(/\/api\/user\/profiles\/me\/$/);
  await operation.getByRole('button', { name: 'Execute' }).click();
  const id = (await arrived).headers()['x-request-id'] ?? '';
  await operation.locator('.request').filter({ hasText: id }).waitFor();
  const answer = operation.locator('.live-responses-table .response').first();
  const status = await answer.locator('.response-col_status').first().innerText();
  const body: Body = JSON.parse(await answer.locator('.highlight-code code').first().innerText());
  return { status: status.slice(0, 3), username: body.user?.username };
}

/** A proxy that takes a prefix off the path, as many do. */
async function openPrefix(t: Test, target: string, prefix: string): Promise<string> {
  const proxy = createServer((incoming, outgoing) => {
    const { url = '', method, headers } = incoming;
    if (!url.startsWith(`${prefix}/`)) return void outgoing.writeHead(404).end('not here');
    const passed = ask(target + url.slice(prefix.length), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(passed);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${prefix}`;
}

t.test('each tab has a session of its own, also after a reload', async (t) => {
  const url = await start(t);
  const context = await (await openBrowser(t)).newContext();
  const [one, other] = [await context.newPage(), await context.newPage()];
  for (const [page, username] of [
    [one, 'patient'],
    [other, 'doctor'],
  ] as const) {
    await page.goto(`${url}/docs/`);
    await logIn(page, username);
  }
  for (const [page, username] of [
    [one, 'patient'],
    [other, 'doctor'],
  ] as const) {
    await page.reload();
    t.strictSame(await whoAmI(page), { status: '200', username });
    t.strictSame(await page.evaluate('Object.keys(localStorage)'), [], 'no token outlives the tab');
  }
  const third = await context.newPage();
  await third.goto(`${url}/docs/`);
  t.equal((await whoAmI(third)).status, '401');

  await one.getByRole('button', { name: 'Authorize', exact: true }).first().click();
  await one.getByRole('button', { name: 'Logout', exact: true }).click();
  await one.getByRole('button', { name: 'Close', exact: true }).last().click();
  await one.reload();
  t.equal((await whoAmI(one)).status, '401');
  t.equal((await whoAmI(other)).username, 'doctor');
});

t.test('a session that can not be renewed for now is not ended', async (t) => {
  const url = await start(t, { ACCESS_TOKEN_TTL: '3s' });
  const page = await (await openBrowser(t)).newPage();
  await page.goto(`${url}/docs/`);
  await logIn(page, 'patient');
  const renewals = '**/token/refresh/';
  for (const isAway of [true, false]) {
    await page.route(renewals, (route) => (isAway ? route.abort() : route.fulfill({ status: 503 })));
    while ((await whoAmI(page)).status !== '401');
    t.equal(await page.getByText(ENDED).count(), 0);
    await page.unroute(renewals);
    t.strictSame(await whoAmI(page), { status: '200', username: 'patient' });
  }
});

t.test('what an earlier session is refused does not end that of whoever has signed in since', async (t) => {
  const url = await start(t);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(`${url}/docs/`);
  await logIn(page, 'doctor');
  t.equal((await whoAmI(page)).username, 'doctor');
  await page.evaluate(`fetch('/api/user/logout/', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refresh: sessionStorage.getItem('refresh') }),
  })`);
  const { hold, letGo } = await holdBack(page);
  const refused = whoAmI(page);
  await hold;
  await logIn(page, 'patient');
  letGo();
  t.equal((await refused).status, '401');
  t.equal(await page.getByText(ENDED).count(), 0);
  t.strictSame(await whoAmI(page), { status: '200', username: 'patient' });
});

/** Holds the next request of who one is back on its way, and spoils its token. */
async function holdBack(page: Page): Promise<{ hold: Promise<void>; letGo: () => void }> {
  let letGo = (): void => undefined;
  const gone = new Promise<void>((resolve) => (letGo = resolve));
  let arrive = (): void => undefined;
  const hold = new Promise<void>((resolve) => (arrive = resolve));
  await page.route(
    '**/profiles/me/',
    async (route) => {
      arrive();
      await gone;
      await route.continue({ headers: { ...route.request().headers(), authorization: 'Bearer spoilt' } });
    },
    { times: 1 },
  );
  return { hold, letGo };
}

t.test('the pages work behind a proxy that takes a prefix off their paths', async (t) => {
  const url = await start(t);
  const outside = await openPrefix(t, url, '/clinics/north');
  const page = await (await openBrowser(t)).newPage();
  const faults: string[] = [];
  page.on('response', (answer) => {
    if (answer.status() >= 400 && answer.request().resourceType() !== 'document') faults.push(answer.url());
  });
  await page.goto(`${outside}/docs/`);
  await logIn(page, 'patient');
  t.strictSame(await whoAmI(page), { status: '200', username: 'patient' });
  await page.reload();
  t.strictSame(await whoAmI(page), { status: '200', username: 'patient' });
  await page.goto(`${outside}/reference/`);
  await page.locator('#reference h1').first().waitFor();
  for (const path of ['/', '/problems', '/problems/slot-taken', '/no//thing/?a=/b/c']) {
    await page.goto(outside + path);
    const links: string[] = await page.evaluate("[...document.querySelectorAll('a')].map((link) => link.href)");
    t.strictSame(
      links.filter((link) => !link.startsWith(`${outside}/`)),
      [],
      path,
    );
    t.ok(await page.evaluate("getComputedStyle(document.querySelector('.bar')).display === 'flex'"), path);
  }
  const { status, headers } = await fetch(`${outside}/`, { redirect: 'manual' });
  t.strictSame([status, new URL(headers.get('location') ?? '', `${outside}/`).href], [302, `${outside}/docs/`]);
  t.strictSame(faults, []);
});
