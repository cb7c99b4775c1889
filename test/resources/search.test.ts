/** How people are found and put in order, in every list that has a search. */
import t from 'tap';
import { buildTestApp, type Body, type TestAnswer } from '../helpers/app.js';

/** First name, last name, and what each of them is looked for by. */
const PEOPLE: readonly (readonly [string, string, ...string[]])[] = [
  ['Béla', 'Bartók', 'bela', 'BELA BARTOK', 'Be\u0301la', 'bÉLA', 'Bartók, Béla', 'la bart'],
  ['Zoe\u0308', 'Nu\u0301ñez', 'zoe', 'ZOË', 'Núñez', 'nunez'],
  ['Conan', 'O’Brien', "o'brien", 'O’Brien', 'Oʼbrien', 'O`Brien', 'O´Brien', "O'BRIEN; Conan"],
  ['Anne-Marie', "D'Arcy", "D'Arcy, Anne-Marie", 'd’arcy', 'anne‑marie', 'Anne–Marie', 'ANNE—MARIE', 'D’Arcy，Anne'],
  ['Işık', 'İnci', 'IŞIK', 'işik', 'ISIK inci', 'İNCİ', 'ınci'],
  ['Jürgen', 'Weiß', 'WEISS', 'weiß', 'WEIẞ', 'jurgen'],
  ['Łukasz', 'Sørensen', 'lukasz', 'ŁUKASZ', 'SORENSEN', 'sørensen'],
  ['Σίσυφος', 'Οδυσσεύς', 'ΣΊΣΥΦΟΣ', 'σισυφος', 'ΟΔΥΣΣΕΥΣ'],
  ['Алёна', 'Ким', 'АЛЁНА', 'алена', 'КИМ'],
  ['ﬁnn', 'Ｋelly', 'FINN', 'kelly', 'ＫＥＬＬＹ'],
  ['Mari\u200da', 'Va\u00adle\u200escu', 'maria', 'VALESCU', 'v\u2060alescu', 'ma\u200brıa'],
  ['ნინო', 'ქავთარაძე', 'ნინო', 'ᲜᲘᲜᲝ'],
  ['김', '각', '각'],
  // The longest names that the contract allows, as lists show them.
  ['Ö'.repeat(150), 'ß'.repeat(150)],
];

t.test('search', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff({ username: 'head' });
  const author = await api.register({ username: 'writer' });
  for (const [at, [first_name, last_name]] of PEOPLE.entries()) {
    const { doctorId } = await api.registerDoctor({}, { username: `person${at}`, first_name, last_name });
    const review = { doctor: doctorId, body: 'Fine.', rating: 5 };
    t.equal((await api.post('/reviews/', { token: author.token, body: review })).status, 201);
  }

  const numbers = (found: (item: Body) => string | number) => (answer: TestAnswer) =>
    answer.body.results.map(found) as unknown[];
  const ids = numbers(({ id }) => id);
  const lists = [
    ['listDoctors', '/doctors/', ids, (at: number) => at + 1],
    ['listReviews', '/reviews/', ids, (at: number) => at + 1],
    ['listPatients', '/patients/', numbers(({ user }) => user), (at: number) => `person${at}`],
    ['listProfiles', '/api/user/profiles/', numbers(({ user }) => user.username), (at: number) => `person${at}`],
    ['listUsers', '/api/user/users/', numbers(({ username }) => username), (at: number) => `person${at}`],
  ] as const;
  for (const [operation, path, found, expected] of lists) {
    await t.test(`${operation} 200 finds a name however it is written`, async (t) => {
      for (const [at, [first, last, ...spellings]] of PEOPLE.entries()) {
        for (const search of [first, last, `${first} ${last}`, `${last}, ${first}`, ...spellings]) {
          const answer = await api.get(`${path}?search=${encodeURIComponent(search)}`, { token: staff.token });
          t.strictSame(found(answer), [expected(at)], search);
        }
      }
    });

    await t.test(`${operation} 200 finds everybody by what has no words, and nobody by another syllable`, async (t) => {
      const all = await api.get(path, { token: staff.token });
      for (const search of [',', ' ; ', '\u200b', '\u3000']) {
        const answer = await api.get(`${path}?search=${encodeURIComponent(search)}`, { token: staff.token });
        t.strictSame(found(answer), found(all));
      }
      t.strictSame(found(await api.get(`${path}?search=${encodeURIComponent('가')}`, { token: staff.token })), []);
    });
  }
});

t.test('ordering', async (t) => {
  const api = await buildTestApp(t);
  const names = ['Zoe', 'anna', 'de Vries', 'Åsa', 'Émile', 'Eve', 'İbrahim', 'Ivo', 'ida', 'O’Neil', "O'Brien", 'Øre'];
  for (const first_name of names) await api.registerDoctor({}, { first_name });
  await api.registerDoctor({}, { username: 'Dave' });

  await t.test('listDoctors 200 ?ordering=name, as people do', async (t) => {
    const answer = await api.get('/doctors/?ordering=name');
    t.strictSame(
      answer.body.results.map(({ user }: { user: string }) => user),
      // prettier-ignore
      ['anna', 'Åsa', 'Dave', 'de Vries', 'Émile', 'Eve', 'İbrahim', 'ida', 'Ivo', "O'Brien", 'O’Neil', 'Øre', 'Zoe'],
    );
  });
});
