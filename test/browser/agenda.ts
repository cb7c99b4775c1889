/** The page of the agenda as a browser shows and prints it. Not part of `npm test`: Chromium has to be there. */
import t from 'tap';
import { buildTestApp } from '../helpers/app.js';
import { barriers, openBrowser } from '../helpers/browser.js';

t.test('getAgenda 200 as a page to print', async (t) => {
  const api = await buildTestApp(t);
  const url = await api.app.listen({ port: 0, host: '127.0.0.1' });
  const staff = await api.registerStaff();
  const { body: time } = await api.post('/available-time/', { token: staff.token, body: { time: '10:00 - 10:30' } });
  const doctor = await api.registerDoctor({ available_time: [time.id] });
  await api.registerDoctor({ available_time: [time.id] });
  const patient = await api.register({ first_name: 'Ada', last_name: '<b>Lovelace</b>' });
  const { body: booked } = await api.post('/appointments/', {
    token: patient.token,
    body: { doctor: doctor.doctorId, appointment_type: 'Online', symptoms: 'Cough', time: time.id },
  });

  const browser = await openBrowser(t);
  const page = await browser.newPage({ extraHTTPHeaders: { authorization: `Bearer ${staff.token}` } });
  const faults: string[] = [];
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(`${url}/agenda/?date=${booked.date}`);

  await t.test('has no barriers, its own style, and what it says as text', async (t) => {
    t.strictSame(await barriers(page), []);
    t.equal(await page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse"), 'collapse');
    t.equal(await page.getByRole('rowheader', { name: '10:00 - 10:30' }).count(), 2);
    t.equal(await page.getByRole('cell', { name: '<b>Lovelace</b>' }).count(), 1);
    t.strictSame(faults, []);
  });
  await t.test('is a sheet of paper for each doctor', async (t) => {
    const pdf = (await page.pdf()).toString('latin1');
    t.equal((pdf.match(/\/Type \/Page\b/g) ?? []).length, 2);
  });
});
