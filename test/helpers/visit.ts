import type { PersonVisit } from 'fastify';
import type { Db } from '../../db/client.js';
import { sealsOf } from '../../src/lib/seals.js';

const notToBeCalled = (): never => {
  throw new Error('a test that needs this passes its own');
};

/** A visit for a service that is called without HTTP: by staff, in a clinic whose time is UTC, unless told otherwise. */
export const visitOf = (db: Db, parts: Partial<PersonVisit> = {}): PersonVisit => ({
  db,
  costly: async (read) => read(db),
  caller: { id: 1, isStaff: true, session: null },
  request: { id: '00000000-0000-4000-8000-000000000000', operation: 'test' },
  client: '127.0.0.1',
  userAgent: undefined,
  signal: new AbortController().signal,
  clinicName: 'Clinic',
  doctorApproval: 'none',
  reviewsFrom: 'anyone',
  refreshRotation: false,
  seals: sealsOf(['a secret of tests of services, long enough']),
  oidc: null,
  readPicture: notToBeCalled,
  mail: null,
  errands: { add: notToBeCalled },
  calendar: {
    now: new Date(),
    zone: 'UTC',
    horizonDays: 365,
    slotMinutes: 30,
    bookingNotice: 0,
    changeNotice: 0,
    maxOpenBookings: 1_000_000,
    maxOpenBookingsPerDoctor: 1_000_000,
    waitingOffer: 1800,
  },
  link: { base: 'http://localhost:8000', path: '/', picture: (name) => name },
  ifMatch: undefined,
  ifNoneMatch: undefined,
  tokens: {
    signRefresh: notToBeCalled,
    signSuccessor: notToBeCalled,
    signAccess: notToBeCalled,
    readRefresh: notToBeCalled,
    forgetUser: () => undefined,
    forgetSession: () => undefined,
    newServiceSecret: notToBeCalled,
    forgetServiceKeys: () => undefined,
  },
  logins: { judge: notToBeCalled, succeed: notToBeCalled, claim: notToBeCalled },
  ...parts,
});
