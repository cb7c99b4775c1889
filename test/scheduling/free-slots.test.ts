/** The quick way to a doctor's free slots, held against the rule slot by slot over whatever a clinic may have stored. */
import { and, eq, sql } from 'drizzle-orm';
import fc from 'fast-check';
import assert from 'node:assert/strict';
import t from 'tap';
import { transaction, type Tx } from '../../db/client.js';
import { oneOrNone } from '../../db/rows.js';
import { doctors } from '../../db/tables/index.js';
import { plusDays } from '../../src/lib/dates.js';
import { isShownTo } from '../../src/lib/doctors.js';
import type { Visit } from '../../src/lib/visit.js';
import { freeSlotsOfDoctor } from '../../src/scheduling/free-slots.js';
import { freeSlots, slotJson, soonestFirst } from '../../src/scheduling/slots.js';
import { openTestDatabase } from '../helpers/database.js';
import { visitOf } from '../helpers/visit.js';

/** Ids are from 1 on. */
const SLOTS: readonly (readonly [label: string, start: number | null, end: number | null])[] = [
  ['10:00 - 10:30', 600, 630],
  ['10:15 - 10:45', 615, 645],
  ['10:30 - 11:00', 630, 660],
  ['00:00 - 00:30', 0, 30],
  ['00:30 - 01:30', 30, 90],
  ['01:45 - 02:15', 105, 135],
  ['02:00 - 02:30', 120, 150],
  ['02:30 - 03:30', 150, 210],
  ['20:00 - 02:10', 1200, 1570],
  ['23:30 - 00:15', 1410, 1455],
  ['10:00 - 10:00', 600, 2040],
  ['23:59 - 23:59', 1439, 2879],
  ['Evening', null, null],
  ['"Night" \\ ü \u2028', null, null],
];

/** Of each zone the days before its clocks change: by an hour, by half an hour, by a day, and at midnight. */
const ZONES: Readonly<Record<string, readonly string[]>> = {
  UTC: ['2026-03-02'],
  'Europe/Berlin': ['2026-03-26', '2026-10-22'],
  'Australia/Lord_Howe': ['2026-04-02', '2026-10-01'],
  'Pacific/Apia': ['2011-12-27'],
  'America/Santiago': ['2025-04-03', '2025-09-04'],
};

/** Users: the doctor, who holds something, who holds nothing, and one of the staff. */
const [OWNER, HOLDER, OTHER, STAFF] = [1, 2, 3, 4];
const as = (id: number, isStaff = false) => ({ id, isStaff, session: null });
const CALLERS = [null, as(OWNER), as(HOLDER), as(OTHER), as(STAFF, true)];

const mostly = (odds: number) => fc.nat({ max: odds }).map((lot) => lot > 0);
const seldom = (odds: number) => fc.nat({ max: odds }).map((lot) => lot === 0);
const time = fc.integer({ min: 1, max: SLOTS.length });
const day = fc.integer({ min: -3, max: 10 });
const few = <T>(of: fc.Arbitrary<T>, maxLength: number) =>
  fc.oneof(fc.constant<T[]>([]), fc.constant<T[]>([]), fc.array(of, { maxLength, size: 'max' }));

const clinics = (zone: string) =>
  fc.record({
    first: fc.constantFrom(...(ZONES[zone] as string[])),
    /** Minutes since then. */
    now: fc.nat({ max: 3 * 1440 }),
    notice: fc.constantFrom(0, 0, 180, 1500, 4000),
    horizon: fc.constantFrom(0, 4, 9, 9, 60, 60),
    days: fc.record({ from: fc.integer({ min: -2, max: 7 }), count: fc.constantFrom(1, 3, 7, 31) }),
    caller: fc.constantFrom(...CALLERS),
    isActive: mostly(9),
    isApproved: mostly(9),
    isArchived: seldom(19),
    offered: fc.oneof(
      fc.constant(SLOTS.map((_, index) => index + 1)),
      fc.uniqueArray(time, { maxLength: SLOTS.length }),
    ),
    appointments: fc.array(
      fc.record({
        ...{ time, day, isOverbooked: seldom(4), isCancelled: seldom(5), isArchived: seldom(5) },
        // Of a slot that had no clock times when it was booked.
        isLabel: seldom(7),
        isOther: seldom(7),
      }),
      { maxLength: 12, size: 'max' },
    ),
    hours: few(
      fc.record({
        weekday: fc.integer({ min: 1, max: 7 }),
        times: fc.uniqueArray(time, { minLength: 1, maxLength: SLOTS.length, size: 'max' }),
        every: fc.integer({ min: 1, max: 2 }),
        start: fc.integer({ min: -9, max: 3 }),
        end: fc.option(fc.integer({ min: 4, max: 9 })),
      }),
      6,
    ),
    leaves: few(
      fc.record({
        whose: fc.constantFrom('doctor', 'clinic', 'other'),
        day,
        days: fc.nat({ max: 1 }),
        /** From which minute of the day, and how many; else it is whole days. */
        part: fc.option(fc.tuple(fc.nat({ max: 1439 }), fc.integer({ min: 1, max: 1500 }))),
      }),
      2,
    ),
    holds: few(fc.record({ time, day, isOwn: fc.boolean(), hasEnded: seldom(3), isOther: seldom(7) }), 3),
  });

type Clinic = ReturnType<typeof clinics> extends fc.Arbitrary<infer T> ? T : never;

/** A day's length before the clocks change the doctor has a slot of 24 hours, which ends later for that than it says. */
const lastingInto = (first: string): Clinic => ({
  ...{ first, now: 0, notice: 0, horizon: 60, days: { from: 0, count: 7 }, caller: null },
  ...{ isActive: true, isApproved: true, isArchived: false, offered: [11], hours: [], leaves: [], holds: [] },
  appointments: [
    {
      ...{ time: 2, day: 3 },
      ...{ isOverbooked: false, isCancelled: false, isArchived: false, isLabel: false, isOther: false },
    },
  ],
});

const record = (rows: readonly object[], columns: string) =>
  sql`json_to_recordset(${JSON.stringify(rows)}::json) as r (${sql.raw(columns)})`;

/** Stores a clinic for doctor 1, with whom it is about, and doctor 2. */
async function store(tx: Tx, zone: string, clinic: Clinic): Promise<void> {
  const { first } = clinic;
  const given = clinic.appointments.map((row) => ({ ...row, date: plusDays(first, row.day) }));
  await tx.execute(sql`update doctors set is_active = ${clinic.isActive && clinic.isApproved}, is_approved = ${clinic.isApproved},
    archived_at = case when ${clinic.isArchived} then now() end where id = 1`);
  await tx.execute(sql`insert into doctor_available_times
    select 1, id from ${record(
      clinic.offered.map((id) => ({ id })),
      'id bigint',
    )}`);
  await tx.execute(sql`insert into appointments
      (patient_id, doctor_id, available_time_id, date, period, type, symptoms, is_overbooked, is_cancelled, archived_at)
    select n, case when "isOther" then 2 else 1 end, time, date,
      case when not "isLabel" then slot_period(date, start_minute, end_minute, ${zone}) end, 'online', '',
      "isOverbooked", "isCancelled", case when "isArchived" then now() end
    from (select row_number() over () as n, * from ${record(
      given,
      'time bigint, date date, "isOther" boolean, "isLabel" boolean, "isOverbooked" boolean, "isCancelled" boolean, "isArchived" boolean',
    )}) as r join available_times on available_times.id = time
    on conflict do nothing`);
  for (const { weekday, times, every, start, end } of clinic.hours) {
    await tx.execute(sql`with added as (
        insert into doctor_hours (doctor_id, weekday, every_weeks, starts_on, ends_on)
        values (1, ${weekday}, ${every}, ${plusDays(first, start)}, ${end === null ? null : plusDays(first, end)}) returning id
      ) insert into doctor_hours_times select added.id, 1, r.id from added, ${record(
        times.map((id) => ({ id })),
        'id bigint',
      )}`);
  }
  for (const { whose, day, days, part } of clinic.leaves) {
    const doctor = { doctor: 1, clinic: null, other: 2 }[whose];
    const from = plusDays(first, day);
    const at = (minutes: number) =>
      sql`(${from}::timestamp at time zone ${zone} + make_interval(mins => ${minutes}::int))`;
    await (part === null
      ? tx.execute(sql`insert into time_off (doctor_id, starts_on, ends_on, reason)
          values (${doctor}, ${from}, ${plusDays(from, days)}, '')`)
      : tx.execute(sql`insert into time_off (doctor_id, starts_at, ends_at, reason)
          values (${doctor}, ${at(part[0])}, ${at(part[0] + part[1])}, '')`));
  }
  const held = clinic.holds.map((row) => ({ ...row, date: plusDays(first, row.day) }));
  const now = new Date(Date.parse(first) + clinic.now * 60_000).toISOString();
  await tx.execute(sql`insert into holds (token_hash, doctor_id, available_time_id, date, period, user_id, address_hash, expires_at)
    select repeat(n::text, 64), case when "isOther" then 2 else 1 end, time, date,
      slot_period(date, start_minute, end_minute, ${zone}), case when "isOwn" then ${HOLDER}::bigint end,
      case when not "isOwn" then repeat('0', 64) end,
      ${now}::timestamptz + case when "hasEnded" then interval '0' else interval '1 second' end
    from (select row_number() over () as n, * from ${record(
      held,
      'time bigint, date date, "isOwn" boolean, "hasEnded" boolean, "isOther" boolean',
    )}) as r join available_times on available_times.id = time
    on conflict do nothing`);
}

/** The answer by the rule that booking goes by, slot by slot. */
async function judgedOneByOne({ db, ...booker }: Visit, from: string, to: string): Promise<string | undefined> {
  const free = freeSlots({ from: sql`${from}::date`, to: sql`${to}::date` }, eq(doctors.id, 1), booker);
  const rows = await db
    .select({
      text: sql<string>`array_to_json(array(
        select ${slotJson(booker.calendar)} from ${free.from} where ${free.where} order by ${soonestFirst}))::text`,
    })
    .from(doctors)
    .where(and(eq(doctors.id, 1), isShownTo(booker.caller)));
  return oneOrNone(rows)?.text;
}

class Undone extends Error {}

for (const zone of Object.keys(ZONES)) {
  t.test(`listDoctorAvailability 200: the same as slot by slot, ${zone}`, async (t) => {
    const { database } = await openTestDatabase(t, { pool: 2 });
    const { db } = database;
    await db.execute(sql`insert into users (username, email, password_hash)
      select 'u' || n, 'u' || n || '@example.com', '' from generate_series(1, 5) n`);
    await db.execute(sql`insert into doctors (user_id) values (${OWNER}), (5)`);
    for (const [label, start, end] of SLOTS) {
      await db.execute(
        sql`insert into available_times (label, start_minute, end_minute) values (${label}, ${start}, ${end})`,
      );
    }
    let found = 0;
    const check = async (tx: Tx, clinic: Clinic): Promise<void> => {
      // What is stored is what may be, not what can be booked: no trigger looks at it.
      await tx.execute(sql`set local session_replication_role = replica`);
      await store(tx, zone, clinic);
      const from = plusDays(clinic.first, clinic.days.from);
      const to = plusDays(from, clinic.days.count - 1);
      const calendar = {
        ...visitOf(db).calendar,
        ...{ now: new Date(Date.parse(clinic.first) + clinic.now * 60_000), zone },
        ...{ horizonDays: clinic.horizon, bookingNotice: clinic.notice * 60 },
      };
      const visit: Visit = { ...visitOf(tx, { calendar }), caller: clinic.caller };
      const slots = await freeSlotsOfDoctor(visit, { doctorId: 1, from, to });
      assert.equal(slots && JSON.stringify(slots), await judgedOneByOne(visit, from, to));
      found += slots?.length ?? 0;
      throw new Undone();
    };
    await fc.assert(
      fc.asyncProperty(clinics(zone), async (clinic) => {
        await transaction(db, (tx) => check(tx, clinic)).catch((error: unknown) => {
          if (!(error instanceof Undone)) throw error;
        });
      }),
      { numRuns: 150, examples: (ZONES[zone] as string[]).map((first) => [lastingInto(first)]) },
    );
    t.ok(found > 500, `${found} free slots`);
  });
}
