/** Booking across clock changes, midnights and the date line. */
import { sql } from 'drizzle-orm';
import t from 'tap';
import { ProblemError } from '../../openapi/problem-error.js';
import type { FreeSlot } from '../../openapi/generated/schemas.js';
import type { Calendar } from '../../src/scheduling/calendar.js';
import { createAppointment, getAppointment, updateAppointment } from '../../src/resources/appointments/service.js';
import { listDoctorAvailability } from '../../src/resources/availability/service.js';
import { createAvailableTime } from '../../src/resources/available-times/service.js';
import { buildTestApp } from '../helpers/app.js';
import { openTestDatabase } from '../helpers/database.js';
import { visitOf } from '../helpers/visit.js';

const at = (now: string, zone: string, horizonDays = 365): Calendar => ({
  now: new Date(now),
  zone,
  horizonDays,
  slotMinutes: 30,
  bookingNotice: 0,
  changeNotice: 0,
  maxOpenBookings: 20,
  maxOpenBookingsPerDoctor: 5,
  waitingOffer: 1800,
});

const plusDays = (day: string, days: number): string =>
  new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10);

interface Answer {
  readonly status: number;
  readonly id: number;
  readonly date?: string;
  readonly start?: string;
  readonly end?: string;
  readonly errors?: Record<string, string[]>;
}

const { db } = (await openTestDatabase(t)).database;
await db.execute(`insert into users (username, email, password_hash) values ('staff', 'staff@example.com', '')`);
const times = new Map<string, number>();

/** A doctor who offers slots of these labels, and patients who have nothing booked yet. */
async function clinic(labels: readonly string[]) {
  for (const label of labels) {
    if (!times.has(label)) times.set(label, (await createAvailableTime(visitOf(db), { body: { time: label } })).id);
  }
  const [made] = await db.execute<{ doctor: number }>(sql`
    with person as (
      insert into users (username, email, password_hash)
      select name, name || '@example.com', '' from (select gen_random_uuid()::text as name) as names returning id
    ) insert into doctors (user_id) select id from person returning id::float8 as doctor`);
  const { doctor } = made as { doctor: number };
  for (const label of new Set(labels)) {
    await db.execute(sql`insert into doctor_available_times values (${doctor}, ${times.get(label)})`);
  }
  const answer = async (work: ReturnType<typeof createAppointment>, status: number): Promise<Answer> => {
    try {
      return { ...JSON.parse((await work).text), status };
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return { ...error.members, status: error.statusCode, id: 0 };
    }
  };
  return {
    /** Books for a new patient. */
    book: async (calendar: Calendar, label: string, date?: string): Promise<Answer> => {
      const [row] = await db.execute<{ patient: number }>(sql`
        with person as (
          insert into users (username, email, password_hash)
          select name, name || '@example.com', '' from (select gen_random_uuid()::text as name) as names returning id
        ) insert into patients (user_id) select id from person returning id::float8 as patient`);
      const { patient } = row as { patient: number };
      const body = {
        doctor,
        patient,
        time: times.get(label) as number,
        appointment_type: 'Online',
        symptoms: 'x',
      } as const;
      return answer(
        createAppointment(visitOf(db, { calendar }), { body: { ...body, ...(date !== undefined && { date }) } }),
        201,
      );
    },
    change: (calendar: Calendar, id: number, body: object): Promise<Answer> =>
      answer(updateAppointment(visitOf(db, { calendar }), { params: { id }, body }), 200),
    /** What is free, as `date label`. */
    free: async (calendar: Calendar, from?: string, to?: string): Promise<string[]> => {
      const query = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
      const { text } = await listDoctorAvailability(visitOf(db, { calendar }), { params: { id: doctor }, query });
      return (JSON.parse(text) as FreeSlot[]).map(({ date, label }) => `${date} ${label}`);
    },
  };
}

/** When an appointment begins, in UTC, and what the clinic's clock shows at its end. */
async function periodOf(id: number, zone: string): Promise<string> {
  const [row] = await db.execute<{ period: string }>(sql`
    select to_char(lower(period) at time zone ${zone}::text at time zone 'UTC', 'DD"T"HH24:MI') || '/' ||
      to_char(upper(period), 'DD"T"HH24:MI') as period from appointments where id = ${id}`);
  return row?.period ?? '';
}

const minutesBetween = (start = '', end = ''): number => (Date.parse(end) - Date.parse(start)) / 60_000;

/** The minutes that a label such as `10:00 - 10:30` reads as. */
function lengthOf(label: string): number {
  const [start = '', end = ''] = label.split(' - ').map((time) => `2026-01-01T${time}Z`);
  return minutesBetween(start, end);
}

t.test('a slot on a day when the clocks change', async (t) => {
  // The second of two equal times counts; a slot lasts as long as its label says, and at least to the end that it says.
  for (const [zone, date, slots] of [
    [
      'Europe/Berlin',
      '2026-03-29',
      {
        '01:30 - 02:00': '29T00:30/29T03:00',
        '01:45 - 02:15': '29T00:45/29T03:15',
        '02:00 - 02:30': null,
        '02:30 - 03:00': null,
        '02:59 - 03:29': null,
        '03:00 - 03:30': '29T01:00/29T03:30',
        '00:00 - 04:00': '28T23:00/29T05:00',
      },
    ],
    [
      'Europe/Berlin',
      '2026-10-25',
      {
        '01:30 - 02:00': '24T23:30/25T02:00',
        '01:45 - 02:15': '24T23:45/25T02:15',
        '02:00 - 02:30': '25T01:00/25T02:30',
        '02:30 - 03:00': '25T01:30/25T03:00',
        '03:00 - 03:30': '25T02:00/25T03:30',
        '00:00 - 04:00': '24T22:00/25T04:00',
      },
    ],
    [
      'America/New_York',
      '2026-03-08',
      {
        '01:30 - 02:00': '08T06:30/08T03:00',
        '01:45 - 02:15': '08T06:45/08T03:15',
        '02:00 - 02:30': null,
        '02:30 - 03:00': null,
        '03:00 - 03:30': '08T07:00/08T03:30',
      },
    ],
    [
      'America/New_York',
      '2026-11-01',
      {
        '00:45 - 01:15': '01T04:45/01T01:15',
        '01:00 - 01:30': '01T06:00/01T01:30',
        '01:45 - 02:15': '01T06:45/01T02:15',
        '02:00 - 02:30': '01T07:00/01T02:30',
      },
    ],
    // By half an hour, at midnight, and an offset that is no whole hour.
    ['Australia/Lord_Howe', '2026-10-04', { '02:00 - 02:30': null, '02:30 - 03:00': '03T15:30/04T03:00' }],
    [
      'Australia/Lord_Howe',
      '2026-04-05',
      { '01:15 - 01:45': '04T14:15/05T01:45', '01:30 - 02:00': '04T15:00/05T02:00' },
    ],
    ['Africa/Cairo', '2026-04-24', { '00:00 - 00:30': null, '01:00 - 01:30': '23T22:00/24T01:30' }],
    ['Asia/Kathmandu', '2026-03-02', { '00:00 - 00:30': '01T18:15/02T00:30' }],
  ] as [string, string, Record<string, string | null>][]) {
    await t.test(`${zone} ${date}`, async (t) => {
      const calendar = at(`${plusDays(date, -3)}T12:00:00Z`, zone);
      for (const [label, period] of Object.entries(slots)) {
        const { book, change, free } = await clinic([label, 'Evening']);
        const listed = await free(calendar, date, date);
        t.equal(listed.includes(`${date} ${label}`), period !== null, `${label} is ${period ? '' : 'not '}listed`);
        const answer = await book(calendar, label, date);
        const evening = await book(calendar, 'Evening', date);
        const moved = await change(calendar, evening.id, { time: times.get(label) });
        if (period === null) {
          t.match(answer, { status: 400, errors: { date: [/clocks go forward/] } }, label);
          t.equal(moved.status, 400);
          const soonest = await book(at(`${plusDays(date, -1)}T12:00:00Z`, zone), label);
          t.equal(soonest.date, plusDays(date, 1), 'the soonest date leaves the day out');
        } else {
          t.equal(answer.status, 201);
          t.equal(await periodOf(answer.id, zone), period, label);
          t.equal(answer.start?.slice(8, 16), period.slice(0, 8), `${label} starts as its period does`);
          t.equal(minutesBetween(answer.start, answer.end), lengthOf(label), `${label} lasts as long as it reads`);
          t.equal(moved.status, 409);
        }
      }
    });
  }
});

t.test('getAppointment 200 with an end after its start where the clocks have come to skip the start', async (t) => {
  const { book } = await clinic(['10:00 - 11:00']);
  const calendar = at('2026-03-20T12:00:00Z', 'Europe/Berlin');
  const { id } = await book(calendar, '10:00 - 11:00', '2026-03-29');
  await db.execute(sql`update appointments set period = '[2026-03-29 02:15, 2026-03-29 03:15)' where id = ${id}`);
  const { text } = await getAppointment(visitOf(db, { calendar }), { params: { id } });
  t.match(JSON.parse(text), { start: '2026-03-29T01:15:00.000Z', end: '2026-03-29T02:15:00.000Z' });
});

t.test('createAppointment 409 where two slots of a doctor overlap as they pass, or as they read', async (t) => {
  for (const [zone, date, first, second, status] of [
    ['Europe/Berlin', '2026-03-28', '01:45 - 02:15', '03:00 - 03:30', 201],
    ['Europe/Berlin', '2026-03-29', '01:45 - 02:15', '03:00 - 03:30', 409],
    ['Europe/Berlin', '2026-03-29', '01:30 - 02:00', '03:00 - 03:30', 201],
    ['Europe/Berlin', '2026-10-24', '01:45 - 02:15', '02:00 - 02:30', 409],
    ['Europe/Berlin', '2026-10-25', '01:45 - 02:15', '02:00 - 02:30', 409],
    ['Europe/Berlin', '2026-10-25', '01:30 - 02:00', '02:00 - 02:30', 201],
    ['Europe/Berlin', '2026-10-25', '01:30 - 03:30', '02:00 - 02:30', 409],
    ['America/New_York', '2026-03-08', '01:45 - 02:15', '03:00 - 03:30', 409],
    ['America/New_York', '2026-10-31', '00:45 - 01:15', '01:00 - 01:30', 409],
    ['America/New_York', '2026-11-01', '00:45 - 01:15', '01:00 - 01:30', 409],
    ['America/New_York', '2026-11-01', '00:45 - 01:15', '01:15 - 01:45', 201],
    ['America/New_York', '2026-11-01', '01:45 - 02:15', '02:00 - 02:30', 409],
  ] as const) {
    for (const [one, other] of [
      [first, second],
      [second, first],
    ] as const) {
      const { book, free } = await clinic([one, other]);
      const calendar = at(`${plusDays(date, -3)}T12:00:00Z`, zone);
      t.equal((await book(calendar, one, date)).status, 201);
      t.strictSame(await free(calendar, date, date), status === 201 ? [`${date} ${other}`] : []);
      t.equal((await book(calendar, other, date)).status, status, `${date} ${one}, ${other}`);
    }
  }
});

t.test('a slot that crosses midnight', async (t) => {
  const [late, early, night] = ['23:30 - 00:15', '00:00 - 00:30', '20:00 - 19:59'] as const;
  const calendar = at('2026-12-01T12:00:00Z', 'UTC');
  for (const [one, onDate, other, date, status] of [
    [late, '2026-12-31', early, '2027-01-01', 409],
    [late, '2026-12-31', early, '2026-12-31', 201],
    [early, '2027-01-01', late, '2026-12-31', 409],
    [early, '2027-01-01', late, '2027-01-01', 201],
    [night, '2026-12-30', late, '2026-12-30', 409],
    [night, '2026-12-30', early, '2026-12-31', 409],
    [night, '2026-12-30', late, '2026-12-31', 201],
    [night, '2026-12-30', night, '2026-12-31', 201],
  ] as const) {
    const { book, free } = await clinic([one, other]);
    t.equal((await book(calendar, one, onDate)).status, 201);
    const listed = await free(calendar, date, date);
    t.equal(listed.includes(`${date} ${other}`), status === 201);
    t.equal((await book(calendar, other, date)).status, status, `${onDate} ${one}, ${date} ${other}`);
  }
});

t.test('today and the last bookable day change at midnight of the clinic', async (t) => {
  for (const [zone, lastMoment, today] of [
    ['UTC', '2026-03-02T23:59:59.999Z', '2026-03-02'],
    ['Asia/Tokyo', '2026-03-02T14:59:59.999Z', '2026-03-02'],
    ['America/Los_Angeles', '2026-03-02T07:59:59.999Z', '2026-03-01'],
    ['Pacific/Kiritimati', '2026-03-02T09:59:59.999Z', '2026-03-02'],
    ['Pacific/Pago_Pago', '2026-03-02T10:59:59.999Z', '2026-03-01'],
    // Midnight after the day of 23 hours, and the day that has no midnight.
    ['Europe/Berlin', '2026-03-29T21:59:59.999Z', '2026-03-29'],
    ['Africa/Cairo', '2026-04-23T21:59:59.999Z', '2026-04-23'],
  ] as const) {
    await t.test(zone, async (t) => {
      const { book, free } = await clinic(['Evening', '23:45 - 00:00', '02:00 - 02:30']);
      const before = at(lastMoment, zone, 2);
      const after = at(new Date(Date.parse(lastMoment) + 1).toISOString(), zone, 2);
      const [yesterday, tomorrow, last, next] = [-1, 1, 2, 3].map((days) => plusDays(today, days)) as [
        string,
        string,
        string,
        string,
      ];
      const evenings = async (calendar: Calendar) =>
        (await free(calendar, yesterday, plusDays(next, 1))).filter((slot) => slot.endsWith('Evening'));
      t.strictSame(await evenings(before), [`${today} Evening`, `${tomorrow} Evening`, `${last} Evening`]);
      t.strictSame(await evenings(after), [`${tomorrow} Evening`, `${last} Evening`, `${next} Evening`]);
      t.ok((await free(before)).every((slot) => slot >= today));
      t.equal((await free(before)).at(0), `${today} Evening`, 'what has clock times is over for today');
      t.equal((await free(after)).at(0), `${tomorrow} 02:00 - 02:30`);

      t.match(await book(before, 'Evening', yesterday), { status: 400, errors: { date: ['must not be in the past'] } });
      t.match(await book(before, '23:45 - 00:00', today), { status: 400, errors: { date: [/has begun/] } });
      t.match(await book(before, 'Evening', next), { status: 400, errors: { date: ['must be at most 2 days ahead'] } });
      t.match(await book(after, 'Evening', today), { status: 400, errors: { date: ['must not be in the past'] } });
      t.equal((await book(before, 'Evening')).date, today);
      t.equal((await book(before, '23:45 - 00:00')).date, tomorrow);
      t.equal((await book(before, '23:45 - 00:00')).date, last);
      t.equal((await book(before, '23:45 - 00:00')).status, 409, 'all booked up to the horizon');
      t.equal((await book(after, '23:45 - 00:00')).date, next);
      t.equal((await book(after, 'Evening', next)).status, 201);
    });
  }
});

t.test('a slot can be booked until it begins', async (t) => {
  for (const [zone, start, date, label] of [
    ['UTC', '2026-03-02T10:00:00.000Z', '2026-03-02', '10:00 - 10:30'],
    ['Pacific/Kiritimati', '2026-03-01T20:00:00.000Z', '2026-03-02', '10:00 - 10:30'],
    ['Pacific/Pago_Pago', '2026-03-02T21:00:00.000Z', '2026-03-02', '10:00 - 10:30'],
    ['America/New_York', '2026-03-02T05:00:00.000Z', '2026-03-02', '00:00 - 00:30'],
    // The second of the two: during the first it is still ahead.
    ['Europe/Berlin', '2026-10-25T01:30:00.000Z', '2026-10-25', '02:30 - 03:00'],
  ] as const) {
    const { book, change, free } = await clinic([label, 'Evening']);
    const before = at(new Date(Date.parse(start) - 1).toISOString(), zone);
    const then = at(start, zone);
    const slot = `${date} ${label}`;
    t.ok((await free(before, date, date)).includes(slot));
    t.notOk((await free(then, date, date)).includes(slot));
    const late = await book(then, label, date);
    t.equal(late.status, 400);
    t.match(late.errors?.['date']?.[0], /in the past|has begun/);
    const booked = await book(before, label);
    t.equal(booked.date, date);
    t.equal((await book(then, label)).date, plusDays(date, 1));
    t.equal((await change(then, booked.id, { cancel: true })).status, 200);
    t.equal((await change(then, booked.id, { cancel: false })).status, 400, 'it can not be taken back');
    t.equal((await change(before, booked.id, { cancel: false })).status, 200);
  }
});

t.test('CLINIC_TIME_ZONE, SLOT_MINUTES and BOOKING_HORIZON_DAYS', async (t) => {
  const api = await buildTestApp(
    t,
    { CLINIC_TIME_ZONE: 'Pacific/Kiritimati', SLOT_MINUTES: '45', BOOKING_HORIZON_DAYS: '1' },
    { now: () => new Date('2026-03-02T19:00:00Z') },
  );
  const staff = await api.registerStaff();
  for (const time of ['9.30', '10:00', '10:15'])
    await api.post('/available-time/', { token: staff.token, body: { time } });
  const doctor = await api.registerDoctor({ available_time: [1, 2, 3] });
  const url = `/doctors/${doctor.doctorId}/availability/`;
  t.strictSame(
    (await api.get(url)).body.map((slot: FreeSlot) => `${slot.date} ${slot.label}`),
    // There it is nine o'clock on the third.
    ['03 9.30', '03 10:00', '03 10:15', '04 9.30', '04 10:00', '04 10:15'].map((slot) => `2026-03-${slot}`),
  );
  const book = (body: object) =>
    api.post('/appointments/', {
      token: staff.token,
      body: { doctor: doctor.doctorId, appointment_type: 'Online', symptoms: 'x', ...body },
    });
  t.match((await book({ time: 1 })).body, {
    ...{ date: '2026-03-03', label: '9.30' },
    ...{ start: '2026-03-02T19:30:00.000Z', end: '2026-03-02T20:15:00.000Z' },
  });
  t.equal((await book({ time: 2, date: '2026-03-03' })).status, 409, '10:00 is within 9:30 to 10:15');
  t.equal((await book({ time: 3, date: '2026-03-03' })).status, 201);
  t.equal((await book({ time: 1, date: '2026-03-02' })).status, 400);
  t.equal((await book({ time: 1, date: '2026-03-05' })).status, 400);
});
