import type { Sql } from 'postgres';

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
  'Adeyemi',
  'Brandt',
  'Castillo',
  'Dubois',
  "O'Neil",
  'García',
  'Hossain',
  '"Doc" Ito',
  'Ndiaye',
  '李',
];

/** Users that are made in one statement. */
const CHUNK = 10_000;
/** Most users of a clinic are patients. */
const USERS_PER_DOCTOR = 4;

/**
 * Fills an empty, migrated database: live doctors with their lists, a few archived ones, patients, and the lookups.
 * The same number gives the same rows; ids begin with 1, those of the first 2,000 live doctors without a gap.
 */
export async function makeData(sql: Sql, doctors: number, log: (line: string) => void): Promise<void> {
  await sql`truncate users, designations, specialisations, available_times restart identity cascade`;
  await sql`
    insert into specialisations (name, slug)
    select 'Specialisation ' || n, 'specialisation-' || n from generate_series(1, 20) n`;
  await sql`
    insert into designations (name, slug) select 'Designation ' || n, 'designation-' || n from generate_series(1, 10) n`;
  await sql`
    insert into available_times (label, start_minute, end_minute)
    select to_char(make_time(minute / 60, minute % 60, 0), 'HH24:MI'), minute, minute + 15
    from generate_series(480, 480 + 39 * 15, 15) minute`;

  const users = doctors * USERS_PER_DOCTOR;
  for (let first = 1; first <= users; first += CHUNK) {
    const last = Math.min(first + CHUNK - 1, users);
    await sql`
      with made as (
        insert into users (username, email, first_name, last_name, password_hash)
        select 'user' || n, 'user' || n || '@example.com',
          -- Some have no name.
          case when n % 40 = 0 then '' else (${FIRST_NAMES}::text[])[1 + n % ${FIRST_NAMES.length}::int] end,
          case when n % 40 = 0 then '' else (${LAST_NAMES}::text[])[1 + n / 3 % ${LAST_NAMES.length}::int] || ' ' || n end,
          'no password'
        from generate_series(${first}::int, ${last}::int) n
        returning id, substr(username, 5)::int n
      ), profile as (
        insert into profiles (user_id) select id from made
      ), patient as (
        insert into patients (user_id) select id from made
      )
      insert into doctors (user_id, picture, fee, meet_link, archived_at)
      select id,
        case when n % 3 > 0 then md5(n::text) || '.webp' end,
        n * 37 % 200 * 5,
        case when n % 8 = 0 then 'https://meet.example.com/' || n else '' end,
        case when n % ${USERS_PER_DOCTOR} > 0 then now() end
      from made where n % ${USERS_PER_DOCTOR} = 0 or n % 199 = 0 order by n % ${USERS_PER_DOCTOR} > 0, id`;
    log(`users ${last} of ${users}`);
  }
  await linkDoctors(sql, 'designation', 'designations', 2);
  await linkDoctors(sql, 'specialisation', 'specialisations', 3);
  await linkDoctors(sql, 'available_time', 'available_times', 8);
  // Or the database does it of its own, while others measure.
  await sql`vacuum analyze`;
  log(`doctors ${doctors}, with their lists`);
}

/** Links every doctor to up to `most` entries of a lookup. */
async function linkDoctors(sql: Sql, name: string, lookup: string, most: number): Promise<void> {
  const entryId = sql(`${name}_id`);
  await sql`
    with entries as (select array_agg(id order by id) ids from ${sql(lookup)})
    insert into ${sql(`doctor_${lookup}`)} (doctor_id, ${entryId})
    select doctors.id, ids[1 + (doctors.id * 7 + k * 3) % cardinality(ids)]
    from doctors cross join entries cross join generate_series(0, ${most - 1}::int) k
    where k <= doctors.id % ${most}::int`;
}
