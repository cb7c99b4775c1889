import t from 'tap';
import { buildTestApp, type TestApp, type User } from '../helpers/app.js';
import { pictureFile } from '../helpers/pictures.js';
import { race, RACING } from '../helpers/races.js';

const PROFILES = '/api/user/profiles/';

/** The id and path of a user's own profile. */
async function own(api: TestApp, { token }: User): Promise<{ id: number; url: string }> {
  const { id } = (await api.get(`${PROFILES}me/`, { token })).body;
  return { id, url: `${PROFILES}${id}/` };
}

const usernames = (answer: { body: { results: { user: { username: string } }[] } }): string[] =>
  answer.body.results.map(({ user }) => user.username);

const statuses = (answers: readonly { status: number }[]): number[] => answers.map(({ status }) => status).sort();

t.test('createProfile', async (t) => {
  const api = await buildTestApp(t, RACING);
  const create = (user: User, body: object) => api.post(PROFILES, { token: user.token, body });

  await t.test('createProfile 201 fills the profile that registration has opened', async (t) => {
    const user = await api.register({ username: 'ada', first_name: 'Ada', last_name: 'Byron' });
    const { id, url } = await own(api, user);
    const body = {
      last_name: ' Lovelace ',
      bio: 'Mathematician.\n',
      address: "12 St James's Square",
      date_of_birth: '1985-12-10',
      is_staff: true,
      user: 77,
      id: 99,
      filled: false,
    };
    const answer = await create(user, body);
    t.equal(answer.status, 201);
    const { created_at, updated_at, user: shown, ...rest } = answer.body;
    t.strictSame(rest, {
      id,
      bio: 'Mathematician.\n',
      address: "12 St James's Square",
      date_of_birth: '1985-12-10',
      profile_picture: null,
    });
    t.match(shown, {
      id: user.id,
      username: 'ada',
      email: 'ada@example.com',
      first_name: 'Ada',
      last_name: 'Lovelace',
      is_staff: false,
      is_active: true,
    });
    t.match(created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    t.ok(updated_at >= created_at);
    for (const path of [url, url.slice(0, -1), `${PROFILES}me/`, `${PROFILES}me`]) {
      t.strictSame((await api.get(path, { token: user.token })).body, answer.body, path);
    }
  });

  await t.test('createProfile 201 from a form with a picture, whose URL is signed', async (t) => {
    const user = await api.register();
    const form = { profile_picture: await pictureFile(), bio: '"profile_picture":null', date_of_birth: '' };
    const answer = await api.post(PROFILES, { token: user.token, form });
    t.equal(answer.status, 201);
    t.match(answer.body, { bio: '"profile_picture":null', date_of_birth: null });
    const picture = new URL(answer.body.profile_picture);
    t.match(picture.href, /^http:\/\/localhost:8000\/pictures\/s-[\w-]{22}\.png\?expires=\d+&signature=[\w-]+$/);
    t.equal((await api.get(picture.pathname + picture.search)).status, 200);
    t.equal((await api.get(picture.pathname)).status, 404, 'not without the signature');
    const page = await api.get(PROFILES, { token: user.token });
    t.strictSame(page.body.results, [answer.body]);
  });

  await t.test('createProfile 201 with an empty body leaves the user as it was', async (t) => {
    const user = await api.register({ first_name: 'Bo', last_name: 'Li' });
    const answer = await create(user, {});
    t.match(answer.body, {
      user: { username: user.username, email: `${user.username}@example.com`, first_name: 'Bo', last_name: 'Li' },
      bio: '',
      address: '',
      date_of_birth: null,
      profile_picture: null,
    });
  });

  await t.test('createProfile 409 onto one that is filled, with its URL', async (t) => {
    for (const fill of ['POST', 'PUT', 'PATCH']) {
      const user = await api.register();
      const { url } = await own(api, user);
      await api.call(fill, fill === 'POST' ? PROFILES : url, { token: user.token, body: { bio: 'First.' } });
      const answer = await create(user, { bio: 'Second.' });
      t.equal(answer.status, 409, fill);
      t.equal(answer.body.type, '/problems/already-exists');
      t.ok(answer.body.detail.includes(`http://localhost:8000${url}`), answer.body.detail);
      t.equal((await api.get(url, { token: user.token })).body.bio, 'First.');
    }
  });

  await t.test('createProfile 201 after a change of nothing', async (t) => {
    const user = await api.register();
    const { url } = await own(api, user);
    const before = (await api.get(url, { token: user.token })).body;
    t.strictSame((await api.patch(url, { token: user.token, body: {} })).body, before);
    t.equal((await create(user, {})).status, 201);
  });

  await t.test('createProfile 201 once of many at once, also after a delete', async (t) => {
    const user = await api.register();
    const first = await own(api, user);
    for (const round of ['opened by registration', 'deleted']) {
      // In the second round it is the user's row that all wait for, to insert a profile that refers to it.
      const lock = round === 'deleted' ? `users where id = ${user.id}` : `profiles where user_id = ${user.id}`;
      const answers = await race(
        api,
        `select from ${lock} for update`,
        Array.from({ length: 7 }, (_, index) => () => create(user, { bio: String(index) })),
      );
      t.strictSame(statuses(answers), [201, ...Array.from({ length: 6 }, () => 409)], round);
      const { id, url } = await own(api, user);
      t.equal(id === first.id, round === 'opened by registration');
      t.equal(answers.find(({ status }) => status === 201)?.body.id, id);
      t.ok(answers.filter(({ status }) => status === 409).every(({ body }) => body.detail.includes(url)));
      t.equal((await api.delete(url, { token: user.token })).status, 204);
    }
  });

  await t.test('createProfile 409 names user name and email that are taken, and stores nothing', async (t) => {
    await api.register({ username: 'Taken', email: 'Taken@Example.com' });
    const user = await api.register();
    const answer = await create(user, { username: 'tAKEN', email: 'taken@example.COM', bio: 'New.' });
    t.equal(answer.status, 409);
    t.strictSame(answer.body.errors, { username: ['is taken already'], email: ['is taken already'] });
    t.equal((await api.get(`${PROFILES}me/`, { token: user.token })).body.bio, '');
    t.equal((await create(user, { username: user.username.toUpperCase() })).status, 201, 'still empty until now');
  });

  await t.test('createProfile 409 leaves no picture', async (t) => {
    const user = await api.register();
    await create(user, {});
    const answer = await api.post(PROFILES, { token: user.token, form: { profile_picture: await pictureFile() } });
    t.equal(answer.status, 409);
    t.equal((await api.database.db.execute('select from discarded_pictures')).length, 0);
  });

  await t.test('createProfile 400 names every fault', async (t) => {
    const user = await api.register();
    const body = {
      username: 'a b',
      email: 'x',
      first_name: 'x'.repeat(151),
      bio: 'x'.repeat(2001),
      address: 'x'.repeat(256),
      date_of_birth: '1985-02-30',
      profile_picture: 'x.png',
    };
    const answer = await create(user, body);
    t.equal(answer.status, 400);
    t.strictSame(Object.keys(answer.body.errors).sort(), Object.keys(body).sort());
    const nothing = await api.post(PROFILES, { token: user.token });
    t.equal(nothing.status, 400);
    t.equal((await create(user, { username: '' })).status, 400);
  });

  await t.test('createProfile 401', async (t) => {
    t.equal((await api.post(PROFILES, { body: {} })).status, 401);
  });
});

t.test('listProfiles', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff({ username: 'head' });
  const ada = await api.register({ username: 'ada', first_name: 'Ada', last_name: 'Lovelace' });
  await api.register({ username: 'bob_x', email: 'bob@clinic.test', first_name: 'Bob' });
  const cid = await api.register({ username: 'cid', last_name: 'Love' });

  for (const [query, expected] of [
    ['', ['head', 'ada', 'bob_x', 'cid']],
    ['search=LOVE', ['ada', 'cid']],
    ['search=love%20ada', ['ada']],
    ['search=clinic.test', ['bob_x']],
    ['search=_', ['bob_x']],
    ['search=%25', []],
    ['search=%20', ['head', 'ada', 'bob_x', 'cid']],
    ['search=nobody', []],
  ] as const) {
    await t.test(`listProfiles 200 ?${query} for staff`, async (t) => {
      const answer = await api.get(`${PROFILES}?${query}`, { token: staff.token });
      t.equal(answer.status, 200);
      t.equal(answer.body.count, expected.length);
      t.strictSame(usernames(answer), expected);
    });
  }

  await t.test('listProfiles 200 only the own for others', async (t) => {
    const doctor = await api.registerDoctor({}, { username: 'dee' });
    for (const user of [ada, cid, doctor]) {
      const answer = await api.get(PROFILES, { token: user.token });
      t.match(answer.body, { count: 1, next: null, previous: null });
      t.strictSame(usernames(answer), [user.username]);
    }
    t.strictSame(usernames(await api.get(`${PROFILES}?search=love`, { token: cid.token })), ['cid']);
    t.strictSame(usernames(await api.get(`${PROFILES}?search=ada`, { token: cid.token })), []);
  });

  await t.test('listProfiles 200 in pages', async (t) => {
    const first = await api.get(`${PROFILES}?limits=1&search=love`, { token: staff.token });
    t.match(first.body, { count: 2, previous: null });
    t.ok(first.body.next.startsWith(`http://localhost:8000${PROFILES}?limits=1&search=love&page=2&after=`));
    t.strictSame(usernames(await api.get(first.body.next, { token: staff.token })), ['cid']);
  });

  await t.test('listProfiles 400, 401, 404', async (t) => {
    t.equal((await api.get(`${PROFILES}?page=0`, { token: staff.token })).status, 400);
    t.equal((await api.get(PROFILES)).status, 401);
    t.equal((await api.get(`${PROFILES}?page=2`, { token: ada.token })).status, 404);
  });
});

t.test('getProfile, getMyProfile', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff();
  const ada = await api.register({ username: 'ada' });
  const bob = await api.registerDoctor();
  const { url } = await own(api, ada);

  await t.test('getProfile 200 for the owner and staff, 404 for others', async (t) => {
    t.equal((await api.get(url, { token: ada.token })).body.user.username, 'ada');
    t.equal((await api.get(url, { token: staff.token })).body.user.username, 'ada');
    const hidden = await api.get(url, { token: bob.token });
    const absent = await api.get(`${PROFILES}9999/`, { token: bob.token });
    t.strictSame([hidden.status, absent.status], [404, 404]);
    t.equal(hidden.body.detail, absent.body.detail);
    for (const id of ['0', 'x', '1.5', '9007199254740992', 'ME']) {
      t.equal((await api.get(`${PROFILES}${id}/`, { token: staff.token })).status, 404, id);
    }
  });

  await t.test('getProfile, getMyProfile 401', async (t) => {
    t.equal((await api.get(url)).status, 401);
    t.equal((await api.get(`${PROFILES}me/`)).status, 401);
  });

  await t.test('getMyProfile 404 where there is none', async (t) => {
    const user = await api.register();
    await api.delete((await own(api, user)).url, { token: user.token });
    t.equal((await api.get(`${PROFILES}me/`, { token: user.token })).status, 404);
    t.match((await api.get(PROFILES, { token: user.token })).body, { count: 0, results: [] });
  });
});

t.test('replaceProfile, updateProfile, deleteProfile', async (t) => {
  const api = await buildTestApp(t, RACING);
  const staff = await api.registerStaff();
  const other = await api.registerDoctor();
  const ada = await api.register({ username: 'ada', first_name: 'Ada', last_name: 'Lovelace' });
  const { token } = ada;
  const { url } = await own(api, ada);
  const full = { bio: 'Mathematician.', address: 'London', date_of_birth: '1985-12-10' };
  await api.post(PROFILES, { token, body: full });

  await t.test('updateProfile 200 changes only what is sent', async (t) => {
    const before = (await api.get(url, { token })).body;
    const answer = await api.patch(url, { token, body: { bio: 'Writer.', first_name: ' Augusta ' } });
    t.equal(answer.status, 200);
    const { user, updated_at, ...rest } = answer.body;
    t.match({ ...before, bio: 'Writer.' }, rest);
    t.strictSame(user, { ...before.user, first_name: 'Augusta' });
    t.ok(updated_at > before.updated_at);
    t.strictSame((await api.get(url, { token })).body, answer.body);
    t.equal((await api.patch(url, { token, body: { date_of_birth: null } })).body.date_of_birth, null);
    t.equal((await api.patch(url, { token, body: { date_of_birth: '1850-01-01' } })).body.date_of_birth, '1850-01-01');
  });

  await t.test('updateProfile 200 changes the user, who logs in by the new name', async (t) => {
    const user = await api.register();
    const mine = await own(api, user);
    const answer = await api.patch(mine.url, {
      token: user.token,
      body: { username: 'Renamed', email: 'renamed@example.com', is_staff: true, password: 'x' },
    });
    t.match(answer.body.user, { id: user.id, username: 'Renamed', email: 'renamed@example.com', is_staff: false });
    const login = await api.post('/api/user/login/', { body: { username: 'renamed', password: user.password } });
    t.equal(login.status, 200);
    t.equal(
      (await api.patch(mine.url, { token: user.token, body: { username: 'RENAMED' } })).body.user.username,
      'RENAMED',
    );
  });

  await t.test('replaceProfile 200 empties what is left out, but for user name, email and picture', async (t) => {
    const picture = await api.patch(url, { token, form: { ...full, profile_picture: await pictureFile() } });
    t.match(picture.body, full);
    const answer = await api.put(url, { token, body: { address: 'Paris' } });
    t.equal(answer.status, 200);
    t.match(answer.body, {
      user: { username: 'ada', email: 'ada@example.com', first_name: '', last_name: '' },
      bio: '',
      address: 'Paris',
      date_of_birth: null,
    });
    t.equal(new URL(answer.body.profile_picture).pathname, new URL(picture.body.profile_picture).pathname);
  });

  await t.test('updateProfile, replaceProfile 200 replace and remove the picture', async (t) => {
    const path = (answer: { body: { profile_picture: string } }) => answer.body.profile_picture.slice(21);
    const first = path(await api.get(url, { token }));
    const second = path(await api.put(url, { token, form: { profile_picture: await pictureFile('b.jpg') } }));
    t.strictSame([(await api.get(first)).status, (await api.get(second)).status], [404, 200]);
    t.equal((await api.put(url, { token, body: { profile_picture: '' } })).body.profile_picture, null);
    t.equal((await api.get(second)).status, 404);
  });

  await t.test('replaceProfile, updateProfile 200 for staff, of the profile that they name', async (t) => {
    t.equal((await api.put(url, { token: staff.token, body: { bio: 'By staff.' } })).body.bio, 'By staff.');
    const answer = await api.patch(url, { token: staff.token, body: { first_name: 'Ada' } });
    t.match(answer.body.user, { username: 'ada', first_name: 'Ada' });
  });

  await t.test('replaceProfile, updateProfile 400, 409 and nothing changes', async (t) => {
    const before = (await api.get(url, { token })).body;
    for (const method of ['PUT', 'PATCH']) {
      const invalid = await api.call(method, url, { token, body: { bio: 'x', username: '', date_of_birth: 'x' } });
      t.equal(invalid.status, 400);
      t.strictSame(Object.keys(invalid.body.errors).sort(), ['date_of_birth', 'username']);
      const email = `${staff.username}@EXAMPLE.com`;
      const taken = await api.call(method, url, { token, body: { bio: 'x', username: other.username, email } });
      t.equal(taken.status, 409);
      t.strictSame(Object.keys(taken.body.errors), ['username', 'email']);
    }
    t.strictSame((await api.get(url, { token })).body, before);
  });

  await t.test('updateProfile 409 for all but one who want a name at once', async (t) => {
    const people = await Promise.all(Array.from({ length: 6 }, () => api.register()));
    const urls = await Promise.all(people.map(async (user) => (await own(api, user)).url));
    const answers = await race(
      api,
      `select from users where id in (${people.map(({ id }) => id).join()}) for update`,
      people.map((user, index) => () => {
        const body = { username: index % 2 ? 'wanted' : 'WANTED' };
        return api.patch(urls[index] as string, { token: user.token, body });
      }),
    );
    t.strictSame(statuses(answers), [200, 409, 409, 409, 409, 409]);
  });

  await t.test('updateProfile 409 for two who swap names at once', async (t) => {
    const people = [await api.register(), await api.register()] as const;
    const urls = await Promise.all(people.map(async (user) => (await own(api, user)).url));
    const answers = await Promise.all(
      people.map((user, index) =>
        api.patch(urls[index] as string, {
          token: user.token,
          body: { username: people[1 - index]?.username, email: `swap${index}@example.com` },
        }),
      ),
    );
    t.strictSame(statuses(answers), [409, 409]);
  });

  await t.test('replaceProfile, updateProfile, deleteProfile 401, 404 for others', async (t) => {
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const body = method === 'DELETE' ? {} : { body: { bio: 'x' } };
      t.equal((await api.call(method, url, body)).status, 401, method);
      t.equal((await api.call(method, url, { ...body, token: other.token })).status, 404, method);
      t.equal((await api.call(method, `${PROFILES}9999/`, { ...body, token: staff.token })).status, 404, method);
    }
    t.equal((await api.get(url, { token })).status, 200);
  });

  await t.test('deleteProfile 204 and the picture is gone; the user stays and may create a new one', async (t) => {
    const { body } = await api.patch(url, { token, form: { profile_picture: await pictureFile() } });
    t.equal((await api.delete(url, { token })).status, 204);
    t.equal((await api.get(body.profile_picture.slice(21))).status, 404);
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const options = method === 'PUT' || method === 'PATCH' ? { token, body: {} } : { token };
      t.equal((await api.call(method, url, options)).status, 404, method);
    }
    const again = await api.post(PROFILES, { token, body: { bio: 'Again.' } });
    t.equal(again.status, 201);
    t.not(again.body.id, body.id);
    t.match(again.body, { user: { username: 'ada' }, address: '', profile_picture: null });
    t.equal((await api.delete(`${PROFILES}${again.body.id}/`, { token: staff.token })).status, 204);
  });
});
