import type { Test } from 'tap';
import { buildTestApp, type TestApp, type User } from './app.js';

/** A Monday noon in UTC. */
const NOW = new Date('2026-03-02T12:00:00Z');

export interface BookingClinic {
  api: TestApp;
  staff: User;
  doctor: User & { doctorId: number };
  /** Moves the clock. */
  setNow: (now: string) => void;
  /** Registers a patient; `patientId` is that of the record that registration opens. */
  patient: (fields?: Readonly<Record<string, string>>) => Promise<User & { patientId: number }>;
  book: (user: User, body?: object) => ReturnType<TestApp['post']>;
}

/** A clinic whose clock stands, with a doctor who offers slots 1..n of the labels given. */
export async function clinic(
  t: Test,
  labels: string[],
  environment: Record<string, string> = {},
): Promise<BookingClinic> {
  let now = NOW;
  const api = await buildTestApp(t, environment, { now: () => now });
  const staff = await api.registerStaff();
  for (const time of labels) await api.post('/available-time/', { token: staff.token, body: { time } });
  const doctor = await api.registerDoctor({ available_time: labels.map((_, index) => index + 1) });
  return {
    api,
    staff,
    doctor,
    setNow: (text) => (now = new Date(text)),
    patient: async (fields) => {
      const user = await api.register(fields);
      const [row] = await api.database.db.execute<{ id: number }>(
        `select id::int from patients where user_id = ${user.id}`,
      );
      return { ...user, patientId: row?.id as number };
    },
    book: (user, body = {}) =>
      api.post('/appointments/', {
        token: user.token,
        body: { doctor: doctor.doctorId, appointment_type: 'Online', symptoms: 'Headache', time: 1, ...body },
      }),
  };
}
