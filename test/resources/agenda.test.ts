/** The agenda: who sees which day, what is in it and in which order, and the forms in which it comes. */
import t, { type Test } from 'tap';
import { buildTestApp, type Body } from '../helpers/app.js';

/** A Monday morning. */
const MONDAY = new Date('2030-03-04T06:00:00Z');

async function clinic(t: Test, environment: Record<string, string> = {}, now = () => MONDAY) {
  const api = await buildTestApp(t, environment, { now });
  const staff = await api.registerStaff();
  const times: number[] = [];
  for (const time of ['09:00 - 09:30', '10:00 - 10:30', '23:30 - 00:30', 'Evening']) {
    times.push((await api.post('/available-time/', { token: staff.token, body: { time } })).body.id);
  }
  const [nine = 0, ten = 0, late = 0, evening = 0] = times;
  const doctor = await api.registerDoctor({ available_time: times }, { first_name: 'Amara', last_name: 'Okafor' });
  const other = await api.registerDoctor({ available_time: [nine] }, { first_name: 'Björn', last_name: 'Åse' });
  const patient = await api.register({ first_name: 'Ada', last_name: 'Lovelace' });
  await api.post('/patients/', { token: patient.token, body: { phone: '+44 20 1234' } });
  const book = async (time: number, body: object = {}): Promise<Body> => {
    const whole = { doctor: doctor.doctorId, appointment_type: 'Offline', symptoms: 'Cough', date: '2030-03-05', time };
    const answer = await api.post('/appointments/', { token: patient.token, body: { ...whole, ...body } });
    t.equal(answer.status, 201);
    return answer.body;
  };
  const leave = async (body: object): Promise<Body> =>
    (await api.post('/time-off/', { token: staff.token, body: { doctor: doctor.doctorId, ...body } })).body;
  const agenda = (query = '', token = staff.token, headers: Record<string, string> = {}) =>
    api.get(`/agenda/${query}`, { token, headers });
  const entries = async (query: string): Promise<Body> =>
    (await agenda(`${query}&doctor=${doctor.doctorId}`)).body.results[0].entries;
  return { api, staff, doctor, other, patient, nine, ten, late, evening, book, leave, agenda, entries };
}

const kinds = (entries: Body): [string, string | null][] => entries.map(({ kind, label }: Body) => [kind, label]);

t.test("a doctor's day", async (t) => {
  const { api, staff, doctor, other, patient, ten, evening, ...rest } = await clinic(t);
  const { book, leave, agenda, entries } = rest;
  const booked = await book(ten);
  await book(evening);
  const cancelled = await book(rest.nine);
  await api.patch(`/appointments/${cancelled.id}/`, { token: patient.token, body: { cancel: true } });
  const away = await leave({ from: '2030-03-05T22:00:00Z', to: '2030-03-07T08:00:00Z', reason: 'Congress' });

  await t.test('getAgenda 200 with the day in its order, for staff', async (t) => {
    const answer = await agenda(`?date=2030-03-05&doctor=${doctor.doctorId}`);
    const { results, ...about } = answer.body;
    t.strictSame(about, { count: 1, next: null, previous: null, date: '2030-03-05', time_zone: 'UTC' });
    t.match(results, [{ doctor: doctor.doctorId, doctor_name: 'Amara Okafor' }]);
    t.strictSame(kinds(results[0].entries), [
      ['free', '09:00 - 09:30'],
      ['appointment', '10:00 - 10:30'],
      ['leave', null],
      ['appointment', 'Evening'],
    ]);
    const [free, appointment, off, label] = results[0].entries;
    const nothing = Object.fromEntries(Object.keys(free).map((name) => [name, null]));
    const nine = { start: '2030-03-05T09:00:00.000Z', end: '2030-03-05T09:30:00.000Z', label: '09:00 - 09:30' };
    t.strictSame(free, { ...nothing, kind: 'free', time: rest.nine, ...nine });
    t.strictSame(appointment, {
      ...{ ...nothing, kind: 'appointment', id: booked.id, start: booked.start, end: booked.end, time: ten },
      ...{ label: '10:00 - 10:30', patient: booked.patient, patient_name: 'Ada Lovelace', phone: '+44 20 1234' },
      ...{ appointment_type: 'Offline', appointment_status: 'Pendding', symptoms: 'Cough' },
    });
    t.strictSame(off, {
      ...{ ...nothing, kind: 'leave', id: away.id, reason: 'Congress', from: away.from, to: away.to },
      ...{ start: '2030-03-05T22:00:00.000Z', end: '2030-03-06T00:00:00.000Z' },
    });
    t.match(label, { start: null, end: null, time: evening });
  });

  await t.test('getAgenda 200 for a doctor, without and with the own id; 403 for any other', async (t) => {
    const own = await agenda('?date=2030-03-05', doctor.token);
    t.match(own, { status: 200, body: { count: 1, results: [{ doctor: doctor.doctorId }] } });
    t.equal(own.text, (await agenda(`?date=2030-03-05&doctor=${doctor.doctorId}`, doctor.token)).text);
    for (const id of [other.doctorId, 999_999]) {
      const refused = await agenda(`?doctor=${id}`, doctor.token);
      t.match(refused, { status: 403, body: { detail: "Only staff may see another doctor's agenda." } });
    }
  });

  await t.test("getAgenda 200 without other doctors' patients, 403 for patients", async (t) => {
    const answer = await agenda('?date=2030-03-05', other.token);
    t.strictSame(kinds(answer.body.results[0].entries), [['free', '09:00 - 09:30']]);
    t.notMatch(answer.text, /Lovelace|1234|Cough|Congress/);
    for (const accept of ['application/json', 'text/csv', 'text/html']) {
      const refused = await agenda(`?doctor=${doctor.doctorId}`, patient.token, { accept });
      t.match(refused, { status: 403, body: { detail: 'Only doctors and staff may see an agenda.' } });
      t.notMatch(refused.text, /Lovelace|1234/);
    }
  });

  await t.test('getAgenda 200 with attendance, and whole days of leave and closures before all else', async (t) => {
    await leave({ doctor: null, from: '2030-03-08', to: '2030-03-09', reason: 'Training' });
    await leave({ from: '2030-03-06', to: '2030-03-08', reason: '', displace: 'keep' });
    t.strictSame(
      (await entries('?date=2030-03-08')).map(({ kind }: Body) => kind),
      ['closure', 'leave'],
    );
    t.match(await entries('?date=2030-03-09'), [
      { kind: 'closure', from: '2030-03-08', to: '2030-03-09', start: '2030-03-09T00:00:00.000Z', reason: 'Training' },
    ]);
    const { id } = await book(ten, { date: '2030-03-04' });
    const noted = await api.patch(`/appointments/${id}/`, { token: staff.token, body: { attendance: 'arrived' } });
    t.equal(noted.status, 200);
    t.match((await entries('?date=2030-03-04'))[1], { id, attendance: 'arrived' });
    const page = await agenda('', doctor.token, { accept: 'text/html' });
    t.match(page.text, '<td>+44 20 1234</td><td>At the clinic</td><td>Yes</td>');
  });
  t.end();
});

t.test('which day', async (t) => {
  let now = new Date('2030-03-30T22:30:00Z');
  const { agenda, entries, nine } = await clinic(t, { CLINIC_TIME_ZONE: 'Europe/Berlin' }, () => now);

  await t.test('getAgenda 200 with today at the clinic, and nothing free of what is past', async (t) => {
    t.strictSame([(await agenda()).body.date, (await agenda()).body.time_zone], ['2030-03-30', 'Europe/Berlin']);
    t.strictSame(kinds(await entries('?x')), [['free', 'Evening']]);
    now = new Date('2030-03-30T23:30:00Z');
    t.equal((await agenda()).body.date, '2030-03-31');
    t.strictSame(await entries('?date=2030-03-30'), []);
  });
  await t.test('getAgenda 200 over the night in which the clocks go forward', async (t) => {
    const [first] = await entries('?date=2030-03-31');
    t.match(first, { time: nine, start: '2030-03-31T07:00:00.000Z' });
  });
  t.end();
});

t.test('getAgenda 200 in pages of doctors, 404 past the end', async (t) => {
  const { api, staff, doctor, other, agenda } = await clinic(t);
  const first = await agenda('?limits=1&date=2030-03-05');
  t.match(first.body, { count: 2, previous: null, results: [{ doctor: doctor.doctorId }] });
  t.match((await api.get(first.body.next, { token: staff.token })).body, {
    next: null,
    results: [{ doctor: other.doctorId }],
  });
  t.equal((await agenda('?limits=1&page=3')).status, 404);
  t.match((await agenda('?doctor=999999')).body, { count: 0, results: [] });
  const csv = await agenda('?limits=1&date=2030-03-05', staff.token, { accept: 'text/csv' });
  t.equal(csv.headers['link'], '<http://localhost:8000/agenda/?limits=1&date=2030-03-05&page=2>; rel="next"');
  t.notOk('link' in (await agenda('?date=2030-03-05', staff.token, { accept: 'text/csv' })).headers);
  await api.delete(`/doctors/${other.doctorId}/`, { token: staff.token });
  t.equal((await agenda()).body.count, 1, 'not of a doctor who is gone');
});

t.test('the forms of the agenda', async (t) => {
  const { api, staff, doctor, nine, ten, book, leave, agenda } = await clinic(t);
  const whole = `?date=2030-03-05&doctor=${doctor.doctorId}`;
  await book(ten, { symptoms: '=HYPERLINK("http://x.example","a")\nand, more' });
  const evil = await api.register({ first_name: '<script>alert(1)</script>', last_name: '"&' });
  await api.post('/patients/', { token: evil.token, body: { phone: '(030) 99' } });
  const { id } = await book(nine, { patient: undefined });
  const { body } = await api.get('/patients/me/', { token: evil.token });
  await api.patch(`/appointments/${id}/`, { token: staff.token, body: { patient: body.id } });
  await leave({ from: '2030-03-05T12:00:00Z', to: '2030-03-05T13:30:00Z', reason: 'Ward <round>' });

  await t.test('getAgenda 200 by Accept, JSON where it names nothing that there is', async (t) => {
    for (const [accept, type] of [
      ['application/json', 'application/json; charset=utf-8'],
      ['*/*', 'application/json; charset=utf-8'],
      ['', 'application/json; charset=utf-8'],
      ['image/png', 'application/json; charset=utf-8'],
      ['text/csv, application/json', 'application/json; charset=utf-8'],
      ['text/csv', 'text/csv; charset=utf-8'],
      ['text/csv, application/json;q=0.5', 'text/csv; charset=utf-8'],
      ['text/html', 'text/html; charset=utf-8'],
      ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text/html; charset=utf-8'],
    ] as const) {
      const answer = await agenda(whole, staff.token, { accept });
      t.match(answer, { status: 200, headers: { 'content-type': type } }, accept);
      t.match(answer.headers['vary'], /(^|, )Accept$/);
    }
  });

  await t.test('getAgenda 304 for the tag of its own form alone', async (t) => {
    const tags = new Map<string, string>();
    for (const accept of ['application/json', 'text/csv', 'text/html']) {
      tags.set(accept, (await agenda(whole, staff.token, { accept })).headers['etag'] ?? '');
    }
    t.equal(new Set(tags.values()).size, 3);
    for (const accept of tags.keys()) {
      for (const [other, tag] of tags) {
        const { status, text } = await agenda(whole, staff.token, { accept, 'if-none-match': tag });
        t.equal(status, accept === other ? 304 : 200, `${accept} ${other}`);
        t.equal(text === '', accept === other);
      }
    }
  });

  await t.test('getAgenda 200 as CSV, in which no cell is a formula', async (t) => {
    const answer = await agenda(whole, staff.token, { accept: 'text/csv' });
    t.equal(answer.headers['content-disposition'], 'attachment; filename="agenda-2030-03-05.csv"');
    const [head, first, second, ...rest] = answer.text.split('\r\n');
    t.equal(
      head,
      'doctor,doctor_name,date,kind,id,start,end,time,label,patient,patient_name,phone,appointment_type,' +
        'appointment_status,attendance,symptoms,from,to,reason',
    );
    const about = `${doctor.doctorId},Amara Okafor,2030-03-05`;
    t.equal(
      first,
      `${about},appointment,${id},2030-03-05T09:00:00.000Z,2030-03-05T09:30:00.000Z,${nine},09:00 - 09:30,` +
        `${body.id},"<script>alert(1)</script> ""&",(030) 99,Offline,Pendding,,Cough,,,`,
    );
    t.ok(String(second).includes(`,Ada Lovelace,'+44 20 1234,Offline,`), second ?? '');
    t.ok(String(second).endsWith(`"'=HYPERLINK(""http://x.example"",""a"")\nand, more",,,`), second ?? '');
    t.equal(rest.length, 4, 'the leave, the late slot, the evening, and the end of the last line');
    t.equal(rest.at(-1), '');
  });

  await t.test('getAgenda 200 as a page to print, in which nothing is markup or script', async (t) => {
    const { text, headers } = await agenda(whole, staff.token, { accept: 'text/html' });
    t.match(text, /^<!doctype html>\n<html lang="en">/);
    t.match(text, '<title>Agenda of Tuesday, 2030-03-05</title>');
    t.match(text, '<h2>Amara Okafor</h2>');
    t.notMatch(text, /<script|<round|<link|src=/);
    t.match(
      text,
      '<tr><th scope="row">09:00 - 09:30</th><td>&lt;script&gt;alert(1)&lt;/script&gt; &quot;&amp;</td>' +
        '<td>(030) 99</td><td>At the clinic</td><td>☐ Yes ☐ No</td></tr>',
    );
    t.match(text, '<tr><th scope="row">12:00 - 13:30</th><td>Away: Ward &lt;round&gt;</td>');
    t.match(text, '<th scope="row">Evening</th><td>Free</td>');
    t.match(headers['content-security-policy'], /^default-src 'none'; style-src 'sha256-/);
  });

  await t.test('getAgenda 200 as a page that says what it has not', async (t) => {
    const { text } = await agenda('?limits=1', staff.token, { accept: 'text/html' });
    t.match(text, 'Times are by the clinic&#39;s clock (UTC). 1 of 2 doctors.'.replace('&#39;', "'"));
  });
  t.end();
});
