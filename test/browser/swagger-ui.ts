/**
 * A tester's way through the pages of the demo, in a real browser. Not part of `npm test`: Chromium has to be there. With
 * SCREENSHOTS it leaves the picture that the README shows in that folder.
 */
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import t from 'tap';
import type { Body } from '../helpers/app.js';
import { barriers, openBrowser } from '../helpers/browser.js';
import { createTestDatabase } from '../helpers/database.js';
import { pictureFile } from '../helpers/pictures.js';
import { dataFolder, startDemo } from '../helpers/process.js';

t.test('a patient of the demo in Swagger UI', async (t) => {
  const { url, text } = await startDemo(t, { DATABASE_URL: await createTestDatabase(t), DATA_DIR: dataFolder(t) });
  const [, username = '', password = ''] = /^ +(patient) +(\S+) /m.exec(text) ?? [];
  const browser = await openBrowser(t);
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on(
    'console',
    (message) => message.type() === 'error' && faults.push(`${message.text()} ${message.location().url}`),
  );
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(url)) faults.push(request.url());
  });
  await page.goto(`${url}/docs/`);

  const button = (name: string): Locator => page.getByRole('button', { name, exact: true });
  const call = async (path: string, body: object, token = ''): Promise<Body> => {
    const answer = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token !== '' && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
    });
    return answer.json();
  };
  /** What the browser itself says of an answer that is no success. */
  const forgiven = (status: number): void => {
    const index = faults.findIndex((fault) => fault.includes(`status of ${status} `));
    t.not(index, -1, `the console says ${status}`);
    faults.splice(index, 1);
  };
  /** Opens an operation, which is ready to be tried. */
  const open = async (tag: string, operationId: string): Promise<Locator> => {
    const operation = page.locator(`#operations-${tag}-${operationId}`);
    await operation.locator('.opblock-summary-control').click();
    return operation;
  };
  /** Clicks Execute, and waits until the page shows the answer. */
  const send = async (operation: Locator): Promise<void> => {
    const arrived = page.waitForResponse((answer) => answer.request().resourceType() === 'fetch');
    await operation.getByRole('button', { name: 'Execute' }).click();
    const id = (await arrived).headers()['x-request-id'] ?? '';
    await operation.locator('.request').filter({ hasText: id }).waitFor();
  };
  /** Clicks Execute; the status and the JSON that the page shows. */
  const execute = async (operation: Locator): Promise<{ status: string; body: Body }> => {
    await send(operation);
    const answer = operation.locator('.live-responses-table .response').first();
    const status = await answer.locator('.response-col_status').first().innerText();
    const body = await answer.locator('.highlight-code code').first().innerText();
    t.match(await operation.locator('.request').innerText(), /^Answered in \d+ ms, as request [0-9a-f-]{36}$/);
    return { status: status.split('\n')[0] ?? '', body: JSON.parse(body) };
  };

  await t.test('chooses no record where a request changes or removes it', async (t) => {
    for (const operationId of ['replaceDoctor', 'updateDoctor', 'deleteDoctor']) {
      const operation = await open('doctors', operationId);
      t.equal(await operation.locator('tr[data-param-name="id"] input').inputValue(), '', operationId);
    }
    const read = await open('doctors', 'getDoctor');
    t.equal(await read.locator('tr[data-param-name="id"] input').inputValue(), '1', 'where it only reads, one is');
  });

  await t.test('finds operations by words, whatever their case', async (t) => {
    const filter = page.locator('.operation-filter-input');
    const shown = page.locator('.opblock');
    const all = await shown.count();
    await filter.fill('LOG in');
    await page.locator('#operations-patients-listPatients').waitFor({ state: 'detached' });
    t.equal(await page.locator('#operations-users-logIn').count(), 1);
    t.ok((await shown.count()) < all);
    for (const [word, tag, operationId] of [
      ['book', 'appointments', 'createAppointment'],
      ['cancel', 'appointments', 'updateAppointment'],
      ['upload', 'patients', 'createPatient'],
      ['picture', 'profiles', 'replaceProfile'],
    ] as const) {
      await filter.fill('zebra');
      await page.getByText('No operation has all of these words.').waitFor();
      t.strictSame(await barriers(page), []);
      await filter.fill(word);
      await page.locator(`#operations-${tag}-${operationId}`).waitFor();
    }
    await filter.fill('');
    await page.locator('#operations-patients-listPatients').waitFor();
  });

  await t.test('is signed in by logIn 200', async (t) => {
    const operation = await open('users', 'logIn');
    await operation.locator('textarea').fill(JSON.stringify({ username, password }));
    t.equal((await execute(operation)).status, '200');
    const mine = await open('profiles', 'getMyProfile');
    t.match(await execute(mine), { status: '200', body: { user: { username } } });
  });

  await t.test('names the accounts of the demo, and logs in as one', async (t) => {
    const accounts = page.getByRole('region', { name: "The demo's accounts" });
    t.match(await accounts.innerText(), password);
    await button(`Log in as ${username}`).click();
    await page.getByText(`Signed in as ${username}.`).waitFor();
    await page.reload();
    await page.getByText(`Signed in as ${username}.`).waitFor();
    t.equal((await execute(page.locator('#operations-profiles-getMyProfile'))).body.user.username, username);
  });

  await t.test('logs out for good', async (t) => {
    const refresh: string = await page.evaluate("sessionStorage.getItem('refresh')");
    await button('Authorize').first().click();
    const ended = page.waitForResponse(`${url}/api/user/logout/`);
    await button('Logout').click();
    t.equal((await ended).status(), 200);
    t.equal((await call('/api/user/token/refresh/', { refresh })).status, 401);
    await button('Close').last().click();
    t.equal(await page.getByText(/^Signed in/).count(), 0);
  });

  await t.test('takes a token that is pasted with the word Bearer', async (t) => {
    const { access } = await call('/api/user/login/', { username, password });
    await button('Authorize').first().click();
    await page.locator('#auth-bearer-value').fill(`Bearer ${access}`);
    await button('Authorize').last().click();
    await button('Close').last().click();
    t.equal((await execute(page.locator('#operations-profiles-getMyProfile'))).status, '200');
    await button('Authorize').first().click();
    await button('Logout').click();
    await button('Close').last().click();
  });

  await t.test('logs in by user name and password, and says when the session has ended', async (t) => {
    const visitor = { username: 'visitor', password: 'plum-Tractor-91' };
    const { confirm_password, ...changed } = { password: 'fig-Lantern-28', confirm_password: 'fig-Lantern-28' };
    await call('/api/user/register/', { ...visitor, email: 'visitor@example.com', confirm_password: visitor.password });
    await button('Authorize').first().click();
    await page.getByLabel('User name').fill(visitor.username);
    await page.locator('#log-in-password').fill('not this one');
    await page.locator('#log-in-password').press('Enter');
    await page.getByRole('alert').filter({ hasText: 'is wrong' }).waitFor();
    forgiven(401);
    t.strictSame(await barriers(page), []);
    await page.locator('#log-in-password').fill(visitor.password);
    await button('Log in').click();
    await button('Logout').waitFor();
    t.strictSame(await barriers(page), []);
    await button('Close').last().click();

    const { access } = await call('/api/user/login/', visitor);
    const change = { current_password: visitor.password, ...changed, confirm_password };
    await call('/api/user/password/', change, access);
    t.equal((await execute(page.locator('#operations-profiles-getMyProfile'))).status, '401');
    // Of the call, and of the renewal by which the page learned that the session has ended.
    forgiven(401);
    forgiven(401);
    await page.getByText('Session ended, log in again').waitFor();
    await button('Authorize').first().click();
    await page.getByLabel('User name').fill(visitor.username);
    await page.locator('#log-in-password').fill(changed.password);
    await button('Log in').click();
    await page.getByText('Session ended, log in again').waitFor({ state: 'detached' });
    await button('Logout').click();
    await button('Close').last().click();
    await button(`Log in as ${username}`).click();
    await page.getByText(`Signed in as ${username}.`).waitFor();
  });

  await t.test('leaves the focus on the button that sends, for those who use the keyboard', async () => {
    const operation = page.locator('#operations-profiles-getMyProfile');
    await operation.getByRole('button', { name: 'Clear' }).click();
    await operation.getByRole('button', { name: 'Execute' }).press('Enter');
    await operation.getByRole('button', { name: 'Clear' }).waitFor();
    await operation.locator('.execute:focus').waitFor();
  });

  await t.test('says at a required file that it is missing', async (t) => {
    const operation = await open('services', 'createService');
    await operation.getByLabel('Request content type').selectOption('multipart/form-data');
    await operation.getByRole('button', { name: 'Execute' }).click();
    const image = operation.locator('tr[data-property-name="image"]');
    await image.getByRole('alert').waitFor();
    t.match(await image.innerText(), 'Required field is not provided');
    t.strictSame(await barriers(page), []);
  });

  await t.test('folds documented errors, so that an operation fits a screen', async (t) => {
    const operation = page.locator('#operations-services-createService');
    t.equal(await operation.getByText('/problems/not-allowed').count(), 0);
    await operation.getByText('documented errors').click();
    await operation.getByText('/problems/not-allowed').waitFor();
  });

  await t.test('keeps dark mode', async (t) => {
    const isDark = () => page.locator('html.dark-mode').count();
    await page.getByRole('button', { name: 'Dark mode' }).click();
    await page.reload();
    t.equal(await isDark(), 1);
    await page.getByRole('button', { name: 'Light mode' }).click();
    t.equal(await isDark(), 0);
  });

  await t.test('creates a patient with a picture by createPatient 201', async (t) => {
    const operation = await open('patients', 'createPatient');
    await operation.getByLabel('Request content type').selectOption('multipart/form-data');
    const picture = Buffer.from(await (await pictureFile()).arrayBuffer());
    await operation
      .locator('input[type=file]')
      .setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer: picture });
    const { status, body } = await execute(operation);
    t.equal(status, '201', JSON.stringify(body));
    t.match(body, { user: username, phone: '+44 20 7946 0958' });
    // As text: the page's types are not those of Node.js.
    const shown = await page.evaluate(`
      new Promise((resolve) => {
        const image = new Image();
        image.onload = () => resolve(image.naturalWidth > 0);
        image.onerror = () => resolve(false);
        image.src = ${JSON.stringify(body.profile)};
      })`);
    t.ok(shown, 'the picture can be seen');
  });

  await t.test('filters doctors by listDoctors 200', async (t) => {
    const operation = await open('doctors', 'listDoctors');
    const field = (name: string) => operation.locator(`tr[data-param-name="${name}"] input`);
    await field('search').fill('okafor');
    await field('max_fee').fill('200');
    const { status, body } = await execute(operation);
    t.equal(status, '200');
    t.match(body, { count: 1, results: [{ user: 'Amara Okafor', fee: 180 }] });
  });

  await t.test('writes a review by createReview 201, which listReviews 200 shows', async (t) => {
    const operation = await open('reviews', 'createReview');
    const text = 'Explained every step.';
    t.match(
      JSON.parse(await operation.locator('textarea').inputValue()),
      { doctor: 2, rating: '⭐⭐⭐⭐' },
      'an example of the components fills the form',
    );
    await operation.locator('textarea').fill(JSON.stringify({ doctor: 2, body: text, rating: '⭐⭐⭐⭐⭐' }));
    const created = await execute(operation);
    t.equal(created.status, '201', JSON.stringify(created.body));
    t.match(created.body, { body: text, rating: '⭐⭐⭐⭐⭐' });
    const list = await open('reviews', 'listReviews');
    await list.locator('tr[data-param-name="search"] input').fill('okafor');
    const found = (await execute(list)).body.results as { id: number; body: string }[];
    t.match(
      found.find(({ id }) => id === created.body.id),
      { body: text },
    );
  });

  await t.test('books a slot by createAppointment 201, which is then taken, 409', async (t) => {
    const day = (ahead: number) => new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10);
    const free = await fetch(`${url}/doctors/2/availability/?from=${day(1)}&to=${day(30)}`);
    const [slot] = (await free.json()) as { date: string; time: number }[];
    const booking = { doctor: 2, appointment_type: 'Online', symptoms: 'A cough.', date: slot?.date, time: slot?.time };
    const operation = await open('appointments', 'createAppointment');
    await operation.locator('textarea').fill(JSON.stringify(booking, null, 2));
    const booked = await execute(operation);
    t.match(booked, { status: '201', body: { date: slot?.date, time: slot?.time } });
    const taken = await execute(operation);
    t.match(taken, { status: '409', body: { type: '/problems/slot-taken', alternatives: [{}] } });
    forgiven(409);
  });

  await t.test(
    'holds a slot by createHold 201, books it by createAppointment 201; listWaitingEntries 200 shows an offer',
    async (t) => {
      const free = await fetch(`${url}/doctors/3/availability/?from=${new Date().toISOString().slice(0, 10)}`);
      const slot = ((await free.json()) as { date: string; time: number }[]).at(-1);
      const holding = await open('holds', 'createHold');
      await holding.locator('textarea').fill(JSON.stringify({ doctor: 3, date: slot?.date, time: slot?.time }));
      const held = await execute(holding);
      t.match(held, { status: '201', body: { token: String, date: slot?.date } });
      const booking = page.locator('#operations-appointments-createAppointment');
      const body = { hold: held.body.token as string, appointment_type: 'Offline', symptoms: 'A rash.' };
      await booking.locator('textarea').fill(JSON.stringify(body));
      t.match(await execute(booking), { status: '201', body: { doctor: 3, date: slot?.date, time: slot?.time } });
      const waiting = await execute(await open('waiting-list', 'listWaitingEntries'));
      t.match(waiting, { status: '200', body: { results: [{ doctor: 3, offer: { doctor: 3 } }] } });
    },
  );

  for (const [tag, operationId] of [
    ['designations', 'listDesignations'],
    ['specialisations', 'listSpecialisations'],
    ['available-times', 'listAvailableTimes'],
    ['services', 'listServices'],
  ] as const) {
    await t.test(`executes ${operationId} 200`, async (t) => {
      const { status, body } = await execute(await open(tag, operationId));
      t.match({ status, body }, { status: '200', body: [{}] });
    });
  }

  await t.test('sends a request by createContact 201', async (t) => {
    const operation = await open('contacts', 'createContact');
    await operation
      .locator('textarea')
      .fill(JSON.stringify({ name: 'Maya', phone: '+44 20 7946 0958', massage: 'Is there parking?' }));
    t.match(await execute(operation), { status: '201', body: { massage: 'Is there parking?' } });
  });

  await t.test('shows a doctor the day by getAgenda 200', async (t) => {
    await button('Log in as doctor').click();
    await page.getByText('Signed in as doctor.').waitFor();
    const { status, body } = await execute(await open('appointments', 'getAgenda'));
    t.equal(status, '200');
    const [{ entries }] = body.results as [{ entries: { kind: string; patient_name: string | null }[] }];
    t.match(
      entries.find(({ kind }) => kind === 'appointment'),
      { patient_name: /./ },
    );
  });

  await t.test('shows the picture of getPicture 200', async (t) => {
    const doctor = (await (await fetch(`${url}/doctors/1/`)).json()) as { profile: string };
    const operation = await open('files', 'getPicture');
    await operation.locator('tr[data-param-name="name"] input').fill(doctor.profile.split('/').at(-1) ?? '');
    await send(operation);
    const picture = operation.locator('.live-responses-table img');
    await picture.waitFor();
    t.match(await picture.getAttribute('src'), /^blob:/);
    const image = `document.querySelector('#operations-files-getPicture .live-responses-table img')`;
    t.ok(await page.evaluate(`${image}.decode().then(() => ${image}.naturalWidth > 0)`), 'it can be seen');
  });

  /** Whether something sticks out to the right of the screen. */
  const isTooWide = (): Promise<boolean> => page.evaluate('document.documentElement.scrollWidth > innerWidth');
  /** The buttons whose text does not fit them, or that stick out of what they stand in. */
  const cutOff = (): Promise<string[]> =>
    page.evaluate(`[...document.querySelectorAll('button.btn')].flatMap((button) =>
      button.scrollWidth > button.clientWidth || button.getBoundingClientRect().right > innerWidth - 20
        ? [button.innerText] : [])`);
  const shots = process.env['SCREENSHOTS'];

  await t.test('opens the operation that a link names', async (t) => {
    await page.setViewportSize({ width: 1100, height: 720 });
    await page.goto('about:blank');
    await page.goto(`${url}/docs/#/doctors/listDoctors`);
    const operation = page.locator('#operations-doctors-listDoctors');
    await operation.getByRole('button', { name: 'Execute' }).waitFor();
    const { height = Infinity } = (await operation.boundingBox()) ?? {};
    t.ok(height < 1400, `it is not much longer than a screen: ${height} px`);
    await page.evaluate(`document.getElementById('operations-doctors-listDoctors').scrollIntoView()`);
    if (shots !== undefined) await page.screenshot({ path: join(shots, 'swagger-ui.png') });
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    await t.test(`has no barriers and fits a phone in ${colorScheme} mode`, async (t) => {
      await page.emulateMedia({ colorScheme });
      await page.evaluate('localStorage.removeItem("theme")');
      for (const [path, ready] of [
        ['/docs/#/doctors/getDoctor', '.opblock.is-open .execute'],
        ['/docs/#/doctors/createDoctor', '.opblock.is-open .execute'],
        ['/reference/', '#reference h1'],
        ['/guide/', 'h1'],
        ['/', 'h1'],
        ['/problems/', 'h1'],
        ['/problems/slot-taken', 'h1'],
        ['/nothing', 'h1'],
      ] as const) {
        await page.setViewportSize({ width: 1100, height: 720 });
        await page.goto('about:blank');
        await page.goto(url + path);
        await page.locator(ready).first().waitFor();
        if (path === '/nothing') forgiven(404);
        t.equal(await page.locator('html.dark-mode').count(), colorScheme === 'dark' ? 1 : 0);
        t.strictSame(await barriers(page), [], path);
        await page.setViewportSize({ width: 390, height: 844 });
        t.notOk(await isTooWide(), `${path} on a phone`);
        t.strictSame(await cutOff(), [], `${path} on a phone`);
      }
    });
  }

  t.strictSame(faults, [], 'nothing on the page fails or comes from elsewhere');
});
