import fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyPluginAsync } from 'fastify';
import type { Database } from '../db/client.js';
import { trustOf } from '../plugins/addresses.js';
import setAnswerHeaders, { answerHeaders } from '../plugins/answer-headers.js';
import audit from '../plugins/audit.js';
import auth, { refusalTo } from '../plugins/auth.js';
import contract from '../plugins/contract.js';
import database from '../plugins/database.js';
import docs, { type Account } from '../plugins/docs/index.js';
import drain from '../plugins/drain.js';
import errands from '../plugins/errands.js';
import errors, { frameworkErrors, refuseConnection } from '../plugins/errors.js';
import health from '../plugins/health.js';
import { removeOldKeys } from '../plugins/idempotency.js';
import logging from '../plugins/logging.js';
import metrics from '../plugins/metrics/index.js';
import multipart from '../plugins/multipart.js';
import operation from '../plugins/operation.js';
import { pictureQueue } from '../plugins/pictures/encoder.js';
import pictures from '../plugins/pictures/index.js';
import rateLimit from '../plugins/rate-limit/index.js';
import replica from '../plugins/replica.js';
import securityTxt from '../plugins/security-txt.js';
import slowBodies from '../plugins/slow-bodies.js';
import sweep from '../plugins/sweep.js';
import unreadBodies from '../plugins/unread-bodies.js';
import utf8, { parseQuery } from '../plugins/utf8.js';
import validation from '../plugins/validation.js';
import { readVersion } from './command-line.js';
import { picturePlace, type Config } from './config.js';
import { pastDateRule } from './lib/dates.js';
import { passwordQueue, passwordRule } from './lib/passwords.js';
import { openMail, type MailTimes } from './lib/mail.js';
import { sealsOf } from './lib/seals.js';
import { sealEvents } from './resources/audit-events/chain.js';
import { resources } from './resources/index.js';
import { calendarOf, type Calendar } from './scheduling/calendar.js';
import { offerAllFreed } from './scheduling/offers.js';
import { forgetFullDays } from './scheduling/slots.js';

/** The largest JSON body in bytes; the longest text of the contract fits several times. */
const MAX_BODY_BYTES = 262_144;

export interface AppParts {
  readonly config: Config;
  readonly database: Database;
  /** Of tokens and URLs: the first signs, and all verify; each of at least 32 bytes. */
  readonly secrets: readonly string[];
  readonly logger: FastifyBaseLogger | false;
  /** Whose names and passwords the pages show: those of a demo. Default: nobody's. */
  readonly accounts?: readonly Account[] | undefined;
  /** The time by which appointments are booked and the URLs of pictures end. Default: the system's. */
  readonly now?: () => Date;
  /** How long mail is tried. Default: minutes of the system's time. */
  readonly mailTimes?: MailTimes | undefined;
  /** Follows each request. Default: nobody does. */
  readonly traces?: FastifyPluginAsync | undefined;
}

/** Builds the application; the one way, for production and tests alike. */
export async function buildApp({
  config,
  database: db,
  secrets,
  logger,
  accounts = [],
  now = () => new Date(),
  mailTimes,
  traces,
}: AppParts): Promise<FastifyInstance> {
  const browsers = { origins: config.corsOrigins };
  const app = fastify({
    ...(logger === false ? { logger: false } : { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true }),
    // A logger for each request would cost more than the id in the one line that most of them have.
    childLoggerFactory: (parent) => parent,
    genReqId: () => crypto.randomUUID(),
    trustProxy: trustOf(config.trustProxy),
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { ignoreTrailingSlash: true, querystringParser: parseQuery },
    // While the server stops it still answers what comes over connections that are open.
    return503OnClosing: false,
    // Node would refuse these with an answer that is not like ours.
    http: { requireHostHeader: false },
    // By the default of 10 s a start fails on a machine that is busy with other things.
    pluginTimeout: 300_000,
    frameworkErrors,
    clientErrorHandler: refuseConnection(answerHeaders(browsers)),
  });

  if (traces !== undefined) await app.register(traces);
  await app.register(drain);
  await app.register(logging);
  await app.register(setAnswerHeaders, browsers);
  await app.register(errors, { onUnavailable: (error) => db.noteFailure(error), refusalTo });
  await app.register(unreadBodies);
  await app.register(slowBodies);
  await app.register(contract, {
    outside: [
      ...['/', '/docs*', '/guide/', '/reference*', '/problems/', '/openapi*', '/health/live', '/health/ready'],
      ...['/metrics', '/.well-known/security.txt'],
    ],
  });
  await app.register(utf8);
  await app.register(validation, { rules: { 'x-password-of': passwordRule, 'x-not-in-future': pastDateRule(now) } });
  await app.register(database, { database: db });
  await app.register(auth, {
    secrets,
    accessTtl: config.accessTokenTtl,
    refreshTtl: config.refreshTokenTtl,
    staffNeedSecondFactor: config.staffMfa === 'required',
    now: () => now().getTime(),
  });
  await app.register(rateLimit, { ...config.rateLimit, redisUrl: config.redisUrl });
  await app.register(replica);
  await app.register(audit);
  await app.register(multipart);
  const calendar = (): Calendar => calendarOf(config, db.timeZone(), now());
  await app.register(sweep, {
    rounds: [
      { name: 'removing old idempotency keys', seconds: 3600, run: removeOldKeys },
      { name: 'forgetting full days', seconds: 3600, run: (db) => forgetFullDays(db, calendar()) },
      { name: 'sealing audit events', seconds: 5, run: sealEvents },
      { name: 'offering what became free', seconds: 5, run: (db) => offerAllFreed(db, calendar()) },
    ],
  });
  await app.register(errands);
  const mail = config.mail && {
    send: await openMail(config.mail, app.log, mailTimes),
    passwordResetUrl: config.mail.passwordResetUrl,
  };
  const seals = sealsOf(secrets);
  const oidc =
    config.oidc === null
      ? null
      : (await import('./resources/users/openid-provider.js')).openIdProvider(config.oidc, app.log);
  await app.register(operation, {
    publicUrl: config.publicUrl,
    allowedHosts: config.allowedHosts,
    more: () => ({
      clinicName: config.clinicName,
      doctorApproval: config.doctorApproval,
      reviewsFrom: config.reviewsFrom,
      refreshRotation: config.refreshRotation,
      readPicture: (name) => app.readPicture(name),
      calendar: calendar(),
      seals,
      oidc,
      errands: app.errands,
      mail,
    }),
  });
  await app.register(pictures, { place: picturePlace(config), secrets, now: () => now().getTime() });
  await app.register(docs, { accounts });
  await app.register(securityTxt, { contact: config.securityContact, publicUrl: config.publicUrl, now });
  // A bucket is away for all instances: to turn from one to another mends nothing.
  await app.register(health, { arePicturesAway: () => config.bucket === null && app.arePicturesAway() });
  await app.register(metrics, {
    port: config.metricsPort,
    host: config.host,
    version: readVersion(),
    queues: { passwords: passwordQueue, pictures: pictureQueue, searches: app.searchQueue },
  });
  for (const resource of resources) await app.register(resource);
  return app;
}
