import t from 'tap';
import type {
  ListAppointmentsQuery,
  ListPatientsQuery,
  ListProfilesQuery,
  ListReviewsQuery,
} from '../../openapi/generated/operations.js';
import { listAppointments } from '../../src/resources/appointments/service.js';
import { getMyPatient, getPatient, listDependants, listPatients } from '../../src/resources/patients/service.js';
import { listProfiles } from '../../src/resources/profiles/service.js';
import { listReviews } from '../../src/resources/reviews/service.js';
import { PlannedDatabase } from '../helpers/plans.js';
import { visitOf } from '../helpers/visit.js';

const COUNT = 100_000;
const FIRST_PAGE = { page: 1, limits: 100 };
const TABLES = ['users', 'profiles', 'patients', 'appointments', 'reviews'];

const CALLERS = {
  staff: { id: 1, isStaff: true, session: null },
  'a doctor': { id: 2, isStaff: false, session: null },
  'a patient': { id: 50_000, isStaff: false, session: null },
};

/**
 * As many people as a city has, with phone numbers that all differ; some doctors with 200 appointments each; and many
 * doctors with some 20 reviews each, written by a tenth of the people.
 */
const DATA = [
  `insert into users (username, email, first_name, last_name, password_hash)
    select 'user' || n, 'user' || n || '@example.com', (array['Ada', 'Bob', 'Cid', 'Dee', 'Eve'])[n % 5 + 1],
      (array['Smith', 'Jones', 'Miller', 'Garcia', 'Kowalski', 'Nguyen', 'Rossi'])[n % 7 + 1] || n % 311, '-'
    from generate_series(1, ${COUNT}) n`,
  `update users set first_name = 'Xanthippe', last_name = 'Quux' where id = 77777`,
  `update users set first_name = 'Wolfgang' where id = 4717`,
  `insert into profiles (user_id) select id from users`,
  `insert into patients (user_id, phone, filled)
    select id, '+' || 10000000000 + (id * 7919) % ${COUNT} * 86413, true from users`,
  // A fifth of all patients have no account, and of these every second is managed.
  `insert into patients (first_name, last_name, phone, date_of_birth, managed_by, filled)
    select (array['Ada', 'Bob', 'Cid', 'Dee', 'Eve'])[n % 5 + 1], 'Walker' || n % 311, '+' || 20000000000 + n,
      '1990-01-01', case when n % 2 = 0 then 40000 + n end, true
    from generate_series(1, ${COUNT / 4}) n`,
  `update patients set first_name = 'Zenobia', last_name = 'Quux' where id = ${COUNT + 4711}`,
  `insert into doctors (user_id) select generate_series(2, 100)`,
  `insert into available_times (label) values ('Morning')`,
  `insert into appointments (patient_id, doctor_id, available_time_id, date, type, symptoms)
    select (n * 31 + d * 499) % ${COUNT} + 1, d, 1, date '2026-01-01' + n, 'online', 'Cough.'
    from generate_series(1, 99) d, generate_series(1, 200) n`,
  `insert into doctors (user_id) select generate_series(60001, 80000, 4)`,
  `insert into reviews (doctor_id, patient_id, body, rating)
    select 1 + n * 7919::bigint % 5099, 7 + n % 10000 * 10, 'Fine.', 1 + n % 5 from generate_series(1, ${COUNT}) n`,
];

t.test('lists of 100,000 people', async (t) => {
  const database = await PlannedDatabase.open(t);
  await database.fill(...DATA);
  const [row] = await database.db.execute<{ phone: string }>('select phone from patients where id = 4711');
  const { phone } = row as { phone: string };

  const patientQueries: Readonly<Record<string, Partial<ListPatientsQuery>>> = {
    'a rare name': { search: 'xanthippe' },
    'part of a rare name': { search: 'tHIPp' },
    'two words': { search: 'xanthippe quux' },
    'a name without an account': { search: 'zenobia' },
    'a surname with and without an account': { search: 'quux' },
    'a user name': { search: 'user4711' },
    'an email': { search: 'user4711@example.com' },
    'three digits of a phone number or name': { search: '471' },
    'part of a phone number': { search: phone.slice(3, 9) },
    'a phone number with punctuation': { search: `(${phone.slice(0, 4)}) ${phone.slice(4)}` },
    'an id': { search: '4711' },
    'nothing that is there': { search: 'zzyzx' },
    'a phone number': { phone },
    'a phone number and a name': { phone, search: 'xanthippe' },
  };
  for (const [who, caller] of Object.entries(CALLERS)) {
    for (const [what, query] of Object.entries(patientQueries)) {
      await t.test(`listPatients by ${what}, as ${who}`, (t) =>
        database.usesIndexes(t, TABLES, (db) =>
          listPatients(visitOf(db, { caller }), { query: { ...FIRST_PAGE, ...query } }),
        ),
      );
    }
  }

  await t.test('getPatient, getMyPatient, listDependants', async (t) => {
    const caller = CALLERS['a patient'];
    const [own] = await database.db.execute<{ id: number }>(
      `select id::float8 from patients where managed_by = ${caller.id}`,
    );
    await database.usesIndexes(t, TABLES, async (db) => {
      const visit = visitOf(db, { caller });
      t.match(JSON.parse((await getPatient(visit, { params: { id: Number(own?.id) } })).text), { user: '' });
      await getMyPatient(visit);
      t.equal((JSON.parse((await listDependants(visit)).text) as unknown[]).length, 1);
    });
  });

  const profileQueries: Readonly<Record<string, Partial<ListProfilesQuery>>> = {
    'a rare name': { search: 'xanthippe' },
    'two words': { search: 'xanthippe quux' },
    'an email': { search: 'user4711@example.com' },
    'nothing that is there': { search: 'zzyzx' },
  };
  for (const who of ['staff', 'a patient'] as const) {
    for (const [what, query] of Object.entries(profileQueries)) {
      await t.test(`listProfiles by ${what}, as ${who}`, (t) =>
        database.usesIndexes(t, TABLES, (db) =>
          listProfiles(visitOf(db, { caller: CALLERS[who] }), { query: { ...FIRST_PAGE, ...query } }),
        ),
      );
    }
  }

  await t.test('listPatients without a filter, as a doctor and a patient', async (t) => {
    for (const who of ['a doctor', 'a patient'] as const) {
      await database.usesIndexes(t, TABLES, (db) =>
        listPatients(visitOf(db, { caller: CALLERS[who] }), { query: FIRST_PAGE }),
      );
    }
  });

  const appointmentQueries: Readonly<Record<string, Partial<ListAppointmentsQuery>>> = {
    "a doctor's or a patient's name": { search: 'user77' },
    'a rare name': { search: 'xanthippe' },
    'two words': { search: 'xanthippe quux' },
    'a word and a letter': { search: 'xanthippe x' },
    'a name, by date': { search: 'user77', ordering: 'date' },
    'a name within many days': { search: 'user77', from: '2000-01-01', to: '2099-12-31' },
    'a name and a doctor': { search: 'user77', doctor_id: 3 },
    'nothing that is there': { search: 'zzyzx' },
  };
  for (const [what, query] of Object.entries(appointmentQueries)) {
    await t.test(`listAppointments by ${what}`, (t) =>
      database.usesIndexes(t, ['users', 'patients', 'appointments'], (db) =>
        listAppointments(visitOf(db), { query: { ...FIRST_PAGE, ordering: 'id', ...query } }),
      ),
    );
  }

  const reviewQueries: Readonly<Record<string, Partial<ListReviewsQuery>>> = {
    "a doctor's name": { search: 'xanthippe quux' },
    "part of a doctor's name": { search: 'tHIPp' },
    "a reviewer's name": { search: 'wolfgang' },
    "a doctor's and a reviewer's name": { search: 'quux wolfgang' },
    'nothing that is there': { search: 'zzyzx' },
    'a doctor': { doctor: 4711 },
    'a doctor and a rating': { doctor: 4711, rating: '⭐' },
    'a doctor and a name': { doctor: 4711, search: 'wolfgang' },
    'a patient': { reviwer: 4717 },
  };
  for (const [what, query] of Object.entries(reviewQueries)) {
    await t.test(`listReviews by ${what}`, (t) =>
      database.usesIndexes(t, TABLES, (db) => listReviews(visitOf(db), { query: { ...FIRST_PAGE, ...query } })),
    );
  }
});
