/** The rows that are measured. @see Shape */
import type { Sql, TransactionSql } from 'postgres';
import { one } from '../db/rows.js';

/** Of each doctor with a full calendar. */
export const APPOINTMENTS_PER_DOCTOR = 500;
export const SLOTS_PER_DOCTOR = 20;
/** Most users of a clinic are patients. */
const USERS_PER_DOCTOR = 10;
const REVIEWS_PER_DOCTOR = 50;
const CLOCK_TIMES = 24;
/** Doctors after those that are counted: archived ones, and those whose user is inactive. */
const HIDDEN_DOCTORS = 20;
const FIRST_DAY = -20;
/** After it nobody has an appointment. */
export const LAST_DAY = 18;
/** Users that are made in one statement. */
const CHUNK = 5_000;

/**
 * How much there is. Of `doctors` doctors, who offer 20 half hours a day each, the first have 500 appointments, until all
 * `appointments` are used up: from 20 days ago on, with the first five days from today full and the two weeks after at
 * 60 %. To a doctor there are 10 users with their profiles and patient records, the doctor's own among them, and 50
 * reviews, each by another patient.
 */
export interface Shape {
  readonly doctors: number;
  readonly appointments: number;
  /** Other than 50. */
  readonly reviewsPerDoctor?: number;
}

/** @throws Error for what has no such shape */
export function checkShape({ doctors, appointments }: Shape): void {
  const isWhole = Number.isInteger(doctors) && Number.isInteger(appointments / APPOINTMENTS_PER_DOCTOR);
  if (isWhole && doctors >= 20 && appointments > 0 && appointments <= doctors * APPOINTMENTS_PER_DOCTOR) return;
  throw new Error(
    `--doctors takes a number from 20, --appointments a multiple of ${APPOINTMENTS_PER_DOCTOR}, at most that for each doctor`,
  );
}

/** Every user of the data has it, and so can not sign in. Who has another is somebody's. */
const NO_PASSWORD = 'none';
/** Who signs up with a password, and so is no stranger. */
export const VICTIM = 'bench.victim';
/** Those who sign up in a run and stay. */
const OWN_USERS = 'bench.%';
/** The one who is staff. */
const STAFF = 'bench.staff';

export const staffId = ({ doctors }: Shape): number => doctors * USERS_PER_DOCTOR + 1;

const texts = (list: readonly string[]): string =>
  `(array[${list.map((text) => `'${text.replaceAll("'", "''")}'`).join(', ')}])`;
const oneOf = (list: readonly string[], index: string): string => `${texts(list)}[1 + (${index}) % ${list.length}]`;

const FIRST_NAMES = [
  'Ada',
  'Amina',
  'Björn',
  'Chidi',
  'Dolores',
  'Eun-ji',
  'Farah',
  'Giulia',
  'Hamza',
  'Łukasz',
  'Zoë',
];
const LAST_NAMES = [
  ...['Adeyemi', 'Brandt', 'Castillo', 'Dubois', "O'Neil", 'García', 'Hossain', '"Doc" Ito', 'Ndiaye', '李'],
];
const SYMPTOMS = [
  'Palpitations at rest, mostly in the evening, for about two weeks',
  'Pain in the lower back that goes down to the left knee',
  'A cough that does not go away, without fever',
  'Follow-up after the change of medication in spring',
  'Headache behind one eye, "like a nail", three times a week',
  'Blood pressure of 165 over 95 at home; brought the list of the last month along',
  'Itching rash on both forearms\nsince the holiday',
];
const REVIEWS = [
  'Took the time to explain everything, and answered all of my questions.',
  'Friendly, but I waited for more than half an hour.',
  'Found in ten minutes what others had looked for in vain for a year. Thank you!',
  'Very thorough. The follow-up by phone was a nice surprise.',
  'Competent; the practice was hard to find.',
];

/** The day at the clinic when this is run, as the product's default zone has it. */
const TODAY = `(now() at time zone 'UTC')::date`;

/** How many appointments a doctor has on a day, counted from today. */
const ON_DAY = (day: number): number =>
  day < 0 ? 11 + Number(-day % 5 < 3) : day < 5 ? SLOTS_PER_DOCTOR : (SLOTS_PER_DOCTOR * 3) / 5;

/** A slot that a doctor offers, of 20 from 0 on; the first is the day's first of most. */
export const offeredSlot = (doctorId: number, slot: number): number => 1 + ((doctorId - 1 + slot) % CLOCK_TIMES);

/** The id of the n-th slot, from 0, of the n-th doctor. */
const slotOf = (doctor: string, slot: string): string => `(1 + (${doctor} + ${slot}) % ${CLOCK_TIMES})`;

/**
 * The id of the patient of a doctor on a day at a time. No two doctors have the same patient there, whether the slot is
 * booked or free.
 */
function patientOf(
  { doctors, appointments }: Shape,
  doctor: string,
  { day, time }: { day: string; time: string },
): string {
  const perDoctor = USERS_PER_DOCTOR - 1;
  const patients = (appointments / APPOINTMENTS_PER_DOCTOR) * perDoctor;
  return `(${doctors} + 1 + (${doctor} * ${perDoctor} + (${day} + 100) * 7919 + ${time} * 1223) % ${patients})`;
}

/** Slots as rows of `busy`: of the n-th doctor with a calendar, from 0, on a day, counted from today. */
const slots = ({ appointments }: Shape, day: string): string => `
  (select doctor, slot, ${slotOf('doctor', 'slot')} as time, (slot * 7 + doctor * 3 + (${day} + 100) * 11) % ${SLOTS_PER_DOCTOR} as turn,
    (slot * 7 + doctor * 31 + (${day} + 100) * 17) % 20 as fate
  from generate_series(0, ${appointments / APPOINTMENTS_PER_DOCTOR - 1}) doctor,
    generate_series(0, ${SLOTS_PER_DOCTOR - 1}) slot) as slots`;

/** A slot that can be booked, and a patient who is free at that time. */
export interface FreeSlot {
  readonly doctor: number;
  readonly time: number;
  readonly date: string;
  readonly patient: number;
}

/** Free slots of the two weeks after the full days, the next one always of another doctor. */
export async function freeSlots(sql: Sql, shape: Shape, most: number): Promise<FreeSlot[]> {
  const rows = await sql.unsafe<FreeSlot[]>(`
    select (1 + doctor)::float8 as doctor, time::float8 as time, (${TODAY} + day)::text as date, users.id::float8 as patient
    from generate_series(5, ${LAST_DAY}) day cross join lateral ${slots(shape, 'day')}
      join users on users.id = ${patientOf(shape, 'doctor', { day: 'day', time: 'time' })} and is_active
    where turn >= ${ON_DAY(5)}
    order by row_number() over (partition by doctor order by day, turn), doctor limit ${most}`);
  return [...rows];
}

/** The data that a database has. */
type Found = 'nothing' | 'other' | { readonly shape: Shape; readonly isOfToday: boolean };

/** @returns `other` for a database in which there is something that `makeData` did not make */
export async function findData(sql: Sql): Promise<Found> {
  const rows = await sql.unsafe<
    { users: number; isOther: boolean; appointments: number; isOfToday: boolean | null }[]
  >(`
    select (select count(*)::int from users) as users,
      exists (select from users where password_hash <> '${NO_PASSWORD}' and username not like '${OWN_USERS}') or (
        not exists (select from users where username = '${STAFF}') and exists (
          select id from users union all select id from available_times union all select id from designations
          union all select id from specialisations union all select id from services union all select id from contacts)) as "isOther",
      (select count(*)::int from appointments) as appointments,
      (select max(date) = ${TODAY} + ${LAST_DAY} from appointments) as "isOfToday"`);
  const { users, isOther, appointments, isOfToday } = one(rows);
  if (isOther) return 'other';
  if (users === 0) return 'nothing';
  return { shape: { doctors: Math.floor(users / USERS_PER_DOCTOR), appointments }, isOfToday: isOfToday === true };
}

/**
 * Fills a migrated database that has nothing but data of its own, all or nothing. The same shape gives the same rows on the
 * same day; the ids of doctors, users and patients begin with 1 and have no gap.
 */
export async function makeData(sql: Sql, shape: Shape, log: (line: string) => void): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`truncate users, designations, specialisations, available_times, services, appointment_series, review_counts
      restart identity cascade`;
    await tx`set local maintenance_work_mem = '256MB'`;
    await makeLookups(tx);
    await makePeople(tx, shape, log);
    await makeReviews(tx, shape);
    log(`reviews ${shape.doctors * (shape.reviewsPerDoctor ?? REVIEWS_PER_DOCTOR)}`);
    await withoutIndexes(tx, ['appointments', 'appointment_changes'], log, () => makeAppointments(tx, shape, log));
    await makeFullDays(tx);
    await tx`select add_up_appointment_counts()`;
  });
  // Or the database does it of its own, while others measure.
  await sql`vacuum analyze`;
  log('vacuum and analyze: done');
}

async function makeLookups(tx: TransactionSql): Promise<void> {
  await tx`
    insert into specialisations (name, slug)
    select 'Specialisation ' || n, 'specialisation-' || n from generate_series(1, 20) n`;
  await tx`
    insert into designations (name, slug) select 'Designation ' || n, 'designation-' || n from generate_series(1, 10) n`;
  await tx.unsafe(`
    insert into available_times (label, start_minute, end_minute)
    select to_char(make_time(minute / 60, minute % 60, 0), 'HH24:MI'), minute, minute + 30
    from generate_series(480, 480 + ${CLOCK_TIMES - 1} * 30, 30) minute`);
  await tx.unsafe(`
    insert into services (picture, name, description, created_at, updated_at)
    select md5('service ' || n) || '.webp', 'Service ' || n, repeat('What is done, for whom, and what to bring along. ', 1 + n % 5),
      ${TODAY}, ${TODAY}
    from generate_series(1, 20) n`);
}

async function makePeople(tx: TransactionSql, shape: Shape, log: (line: string) => void): Promise<void> {
  const users = shape.doctors * USERS_PER_DOCTOR;
  const joined = (n: string) => `${TODAY}::timestamptz - make_interval(days => 30 + ${n} % 700, mins => ${n} % 1440)`;
  for (let first = 1; first <= users; first += CHUNK) {
    const last = Math.min(first + CHUNK - 1, users);
    await tx.unsafe(`
      insert into users (id, username, email, first_name, last_name, password_hash, is_active, date_joined)
      overriding system value
      select n, 'user' || n, 'user' || n || '@example.com',
        -- Some have no name.
        case when n % 40 = 0 then '' else ${oneOf(FIRST_NAMES, 'n')} end,
        case when n % 40 = 0 then '' else ${oneOf(LAST_NAMES, 'n / 3')} || ' ' || n end,
        '${NO_PASSWORD}', n <= ${users - HIDDEN_DOCTORS / 2}, ${joined('n')}
      from generate_series(${first}, ${last}) n`);
    log(`users ${last} of ${users}`);
  }
  await tx.unsafe(`
    insert into users (id, username, email, password_hash, is_staff, date_joined) overriding system value
    values (${staffId(shape)}, '${STAFF}', 'staff@example.com', '${NO_PASSWORD}', true, ${joined('0')})`);
  await tx.unsafe(`
    insert into profiles (id, user_id, bio, address, date_of_birth, filled, created_at, updated_at)
    overriding system value
    select id, id, case when id % 3 > 0 then 'Allergic to nothing that is known. Prefers the morning.' else '' end,
      case when id % 4 > 0 then id || ' Main Street, Springfield' else '' end,
      case when id % 5 > 0 then date '1930-01-01' + (id * 37 % 30000)::int end, id % 3 > 0, date_joined, date_joined
    from users order by id`);
  await tx.unsafe(`
    insert into patients (id, user_id, phone, filled, created_at, updated_at) overriding system value
    select id, id, case when id % 5 > 0 then '+49 30 ' || 1000000 + id end, id % 5 > 0, date_joined, date_joined
    from users where not is_staff order by id`);
  await tx.unsafe(`
    insert into contacts (user_id, name, phone, message, created_at, updated_at)
    select case when n % 2 = 0 then ${shape.doctors} + 1 + n % ${shape.doctors} end, 'Sender ' || n, '+49 40 ' || 1000000 + n,
      repeat('I have a question about the opening hours. ', 1 + n % 4), ${joined('n')}, ${joined('n')}
    from generate_series(1, 500) n`);
  await tx.unsafe(`
    insert into doctors (user_id, picture, fee, meet_link, created_at, updated_at, archived_at)
    select id, case when id % 3 > 0 then md5(id::text) || '.webp' end, id * 37 % 200 * 5,
      case when id % 8 = 0 then 'https://meet.example.com/' || id else '' end, date_joined, date_joined,
      case when id > ${shape.doctors} and is_active then ${joined('0')} end
    from users where id <= ${shape.doctors} or id between ${users - HIDDEN_DOCTORS + 1} and ${users} order by id`);
  for (const table of ['users', 'profiles', 'patients']) {
    await tx.unsafe(`select setval(pg_get_serial_sequence('${table}', 'id'), max(id)) from ${table}`);
  }
  await linkDoctors(tx, 'designation', 2);
  await linkDoctors(tx, 'specialisation', 3);
  await tx.unsafe(`
    insert into doctor_available_times (doctor_id, available_time_id)
    select id, ${slotOf('(id - 1)', 'slot')} from doctors, generate_series(0, ${SLOTS_PER_DOCTOR - 1}) slot`);
  log(`doctors ${shape.doctors}, with their lists`);
}

/** Links every doctor to one to `most` entries of a lookup. */
async function linkDoctors(tx: TransactionSql, name: string, most: number): Promise<void> {
  await tx.unsafe(`
    with entries as (select array_agg(id order by id) ids from ${name}s)
    insert into doctor_${name}s (doctor_id, ${name}_id)
    select doctors.id, ids[1 + (doctors.id * 7 + k * 3) % cardinality(ids)]
    from doctors cross join entries cross join generate_series(0, ${most - 1}) k
    where k <= doctors.id % ${most}`);
}

async function makeReviews(
  tx: TransactionSql,
  { doctors, reviewsPerDoctor = REVIEWS_PER_DOCTOR }: Shape,
): Promise<void> {
  const patients = doctors * (USERS_PER_DOCTOR - 1);
  const day = `(${TODAY} - (doctor * 13 + n * 7) % 600)`;
  await tx.unsafe(`
    insert into reviews (doctor_id, patient_id, body, rating, created_on, created_at, updated_at)
    select 1 + doctor, ${doctors} + 1 + (doctor * ${USERS_PER_DOCTOR - 1} + n * ${Math.floor(patients / reviewsPerDoctor)}) % ${patients},
      ${oneOf(REVIEWS, 'doctor + n')}, 1 + (doctor * 3 + n * 7) % 9 % 5, ${day}, ${day}, ${day}
    from generate_series(0, ${reviewsPerDoctor - 1}) n, generate_series(0, ${doctors - 1}) doctor
    order by n, doctor * 7919 % ${doctors}, doctor`);
}

/** Day by day, as they come to pass: so those of one doctor or patient lie far apart. */
async function makeAppointments(tx: TransactionSql, shape: Shape, log: (line: string) => void): Promise<void> {
  let made = 0;
  for (let day = FIRST_DAY; day <= LAST_DAY; day++) {
    const date = `(${TODAY} + ${day})`;
    const created = `least(${date}, ${TODAY})::timestamptz - make_interval(days => 1 + turn, mins => (doctor + slot * 60)::int % 1440)`;
    const isPast = day < 0;
    const fate = `case
      when ${isPast} and fate < 2 then 'cancelled' when ${isPast} and fate = 2 then 'missed' when ${isPast} and fate = 3 then 'forgotten'
      when ${isPast} then 'completed' when ${day === 0} and fate < 4 then 'running' else 'pending' end`;
    const { count } = await tx.unsafe(`
      with made as (
        insert into appointments (patient_id, doctor_id, available_time_id, date, period, type, status, symptoms,
          is_cancelled, cancel_code, cancel_text, attendance, created_at, updated_at, archived_at)
        select patient, 1 + doctor, time, ${date}, slot_period(${date}, start_minute, end_minute, 'UTC'),
          (case when (doctor + slot) % 3 = 0 then 'online' else 'offline' end)::appointment_type,
          (case when what in ('completed', 'running') then what else 'pending' end)::appointment_status,
          ${oneOf(SYMPTOMS, `doctor + slot * 3 + ${day + 100}`)},
          what = 'cancelled', case when what = 'cancelled' then ${oneOf(['patient', 'clinic'], 'slot')}::cancel_code end,
          case when what = 'cancelled' then ${oneOf(['', 'Moved to another town'], 'slot')} end,
          (case what when 'missed' then 'no_show' when 'completed' then 'arrived' when 'running' then 'arrived' end)::attendance,
          created, created, case when what = 'cancelled' and doctor % 10 = 0 then created + interval '1 hour' end
        from ${slots(shape, String(day))} join available_times on id = time,
          lateral (select ${patientOf(shape, 'doctor', { day: String(day), time: 'time' })} as patient, ${created} as created,
            ${fate} as what) as more
        where turn < ${ON_DAY(day)} order by turn, doctor * 7919 % ${shape.doctors}, doctor
        returning id, patient_id, created_at, is_cancelled, archived_at
      )
      insert into appointment_changes (appointment_id, changed_at, changed_by, field, before, after)
      select id, created_at, patient_id, field, 'false', 'true'
      from made, (values ('created'), ('cancelled'), ('archived')) as event (field)
      where field = 'created' or (field = 'cancelled' and is_cancelled) or (field = 'archived' and archived_at is not null)`);
    if (count === 0) throw new Error('no appointments were made');
    made += (shape.appointments / APPOINTMENTS_PER_DOCTOR) * ON_DAY(day);
    if (day % 5 === 0 || day === LAST_DAY) log(`appointments ${made} of ${shape.appointments}`);
  }
}

/**
 * Triggers that look at each row for what comes of all at once: those that refuse what is in the way of holds and of
 * overbooked appointments, of which there are none, the one that keeps full days, and the audit's.
 */
const ROW_BY_ROW = [
  ...['refuse_held_time_of_new', 'refuse_over_overbooked_when_made', 'keep_full_days_of_new'],
  'audit_create',
];

/**
 * Takes the indexes and constraints off tables that are filled at once, and puts them back: PostgreSQL then checks all rows
 * by them. All triggers stay but those that go row by row.
 */
async function withoutIndexes(
  tx: TransactionSql,
  tables: readonly string[],
  log: (line: string) => void,
  fill: () => Promise<void>,
): Promise<void> {
  const rows = await tx.unsafe<{ remove: string; restore: string }[]>(
    `select format('alter table %s drop constraint %I', conrelid::regclass, conname) as remove,
      format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as restore
    from pg_constraint where conrelid = any($1::text[]::regclass[]) and contype in ('f', 'x', 'u')
    union all
    select format('drop index %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
    from pg_index where indrelid = any($1::text[]::regclass[]) and not exists (select from pg_constraint where conindid = indexrelid)
    union all
    select format('alter table %s disable trigger %I', tgrelid::regclass, tgname), format('alter table %s enable trigger %I', tgrelid::regclass, tgname)
    from pg_trigger where tgrelid = any($1::text[]::regclass[]) and tgname = any($2::text[]) and tgenabled = 'O'`,
    [`{${tables.join(',')}}`, `{${ROW_BY_ROW.join(',')}}`],
  );
  for (const { remove } of rows) await tx.unsafe(remove);
  await fill();
  for (const [at, { restore }] of rows.entries()) {
    await tx.unsafe(restore);
    if (at % 5 === 4 || at === rows.length - 1) log(`indexes and constraints ${at + 1} of ${rows.length}`);
  }
}

/** Every appointment is in a slot that its doctor offers, at the slot's time. */
async function makeFullDays(tx: TransactionSql): Promise<void> {
  await tx.unsafe(`
    insert into full_days (date, doctor_id)
    select date, doctor_id from appointments where date >= ${TODAY}::date and not is_cancelled and archived_at is null
    group by date, doctor_id having count(*) = ${SLOTS_PER_DOCTOR}`);
}

/** Patients with an account who have no appointment. */
export async function idlePatients(sql: Sql): Promise<number[]> {
  const rows = await sql<{ id: number }[]>`
    select patients.id::float8 as id from patients join users on users.id = user_id
    where is_active and not is_staff and username not like ${OWN_USERS} and patients.archived_at is null
      and not exists (select from appointments where patient_id = patients.id)
      and not exists (select from doctors where doctors.user_id = users.id)
    order by patients.id`;
  return rows.map(({ id }) => id);
}

/** Deletes what was booked since the data was made. */
export async function undoBookings(sql: Sql, { appointments }: Shape): Promise<void> {
  await sql`delete from appointments where id > ${appointments}`;
}

/** Deletes the reviews that were written since the data was made. */
export async function undoReviews(sql: Sql, { doctors, reviewsPerDoctor = REVIEWS_PER_DOCTOR }: Shape): Promise<void> {
  await sql`delete from reviews where id > ${doctors * reviewsPerDoctor}`;
}
