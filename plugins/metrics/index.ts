import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { createServer } from 'node:http';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { codeOf } from '../../db/client.js';
import type { OperationId } from '../../openapi/operation.js';
import type { QueueState } from '../../openapi/turns.js';
import { inNetworks } from '../addresses.js';
import { guard, identify } from '../auth.js';
import { METRICS, type MetricName } from './list.js';

export interface MetricsOptions {
  /** Where they are told to whoever can connect there, and not on the port of the API any more; null: there, see `isOwn`. */
  readonly port: number | null;
  readonly host: string;
  /** Of the contract. */
  readonly version: string;
  readonly queues: Readonly<Record<string, () => QueueState>>;
}

const PATH = '/metrics';

/** Seconds; of an API whose ordinary answer takes a few milliseconds, and whose searches may take 5 s. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What takes a slot. */
const BOOKING: ReadonlySet<string | undefined> = new Set<OperationId>([
  ...(['createAppointment', 'createAppointmentSeries', 'createHold'] as const),
]);

const isLoopback = inNetworks(['127.0.0.0/8', '::1/128']);

/** Whether a request comes from a program on this machine, and not for somebody else who asked a proxy on it. */
const isOwn = ({ raw: { socket, headers } }: FastifyRequest): boolean =>
  isLoopback(socket.remoteAddress ?? '') &&
  !['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some((name) => name in headers);

/** Lets staff in. */
const guardStaff = guard({ config: { access: 'staff', ignoredTokens: 'none', serviceScope: null } });

const admit: onRequestHookHandler = function admitOwnAndStaff(request, reply, next) {
  if (isOwn(request)) next();
  else guardStaff?.call(this, request, reply, next);
};

/** Counts what is answered, and tells that and how the server is, in the format of Prometheus. */
export default fp(
  function metrics(app: FastifyInstance, { port, host, version, queues }: MetricsOptions, done) {
    const registers = [new Registry()];
    const [register] = registers as [Registry];
    const described = (name: MetricName) => {
      const { help, labels } = METRICS[name];
      return { name, help, labelNames: [...labels], registers };
    };
    const counter = (name: MetricName) => new Counter(described(name));
    /** What is counted elsewhere, and read when it is asked for. */
    const tally = (name: MetricName, collect: (counter: Counter) => void) =>
      new Counter({
        ...described(name),
        collect() {
          this.reset();
          collect(this);
        },
      });
    const gauge = (name: MetricName, collect: (gauge: Gauge) => void) =>
      new Gauge({
        ...described(name),
        collect() {
          this.reset();
          collect(this);
        },
      });
    const flag = (name: MetricName, isOn: () => boolean) => gauge(name, (it) => it.set(isOn() ? 1 : 0));

    const requests = counter('http_requests_total');
    const durations = new Histogram({ ...described('http_request_duration_seconds'), buckets: BUCKETS });
    const problems = counter('hospital_problems_total');
    const bookings = counter('hospital_bookings_total');
    const errors = counter('hospital_database_errors_total');
    app.addHook('onResponse', (request, reply, next) => {
      const { statusCode } = reply;
      const { operationId } = request.routeOptions.config;
      const { problem } = request;
      const operation = operationId ?? 'none';
      requests.inc({ operation, status: statusCode });
      durations.observe({ operation }, reply.elapsedTime / 1000);
      if (problem) {
        problems.inc({ problem: problem.slug });
        const code = codeOf(problem.cause);
        if (code !== undefined) errors.inc({ code });
      }
      if (BOOKING.has(operationId) && !reply.hasHeader('idempotent-replayed')) {
        const outcome = statusCode === 201 ? 'booked' : problem?.slug;
        if (outcome !== undefined) bookings.inc({ operation, outcome });
      }
      next();
    });

    const { database, audit, rounds } = app;
    flag('hospital_database_up', () => database.isUp());
    gauge('hospital_database_connections', (it) => {
      for (const [lane, { size, busy }] of Object.entries(database.use().lanes)) {
        it.set({ lane, state: 'busy' }, busy);
        it.set({ lane, state: 'free' }, size - busy);
      }
    });
    gauge('hospital_database_waiting', (it) => it.set(database.use().waiting));
    if (database.hasReplica)
      gauge('hospital_replica_lag_seconds', (it) => it.set(database.replica()?.lag() ?? Infinity));
    gauge('hospital_queue_running', (it) => {
      for (const [queue, state] of Object.entries(queues)) it.set({ queue }, state().running);
    });
    gauge('hospital_queue_waiting', (it) => {
      for (const [queue, state] of Object.entries(queues)) it.set({ queue }, state().waiting);
    });
    gauge('hospital_audit_waiting', (it) => it.set(audit.state().waiting));
    tally('hospital_audit_lost_total', (it) => it.inc(audit.state().lost));
    gauge('hospital_round_success_timestamp_seconds', (it) => {
      for (const [round, { succeededAt }] of rounds) if (succeededAt !== null) it.set({ round }, succeededAt / 1000);
    });
    tally('hospital_round_failures_total', (it) => {
      for (const [round, { failures }] of rounds) it.inc({ round }, failures);
    });
    const { isShared } = app.limits.counts;
    if (isShared !== undefined) flag('hospital_redis_up', isShared);
    flag('hospital_pictures_up', () => !app.arePicturesAway());
    tally('hospital_picture_errors_total', (it) => {
      for (const [action, count] of app.pictureFaults) it.inc({ action }, count);
    });
    flag('hospital_draining', () => app.isDraining());
    gauge('hospital_info', (it) => it.set({ version }, 1));

    if (port === null) {
      app.get(PATH, { onRequest: [identify, admit] }, async (_request, reply) =>
        reply
          .header('cache-control', 'no-store')
          .type(register.contentType)
          .send(await register.metrics()),
      );
    } else {
      const server = createServer((request, response) => {
        const path = request.url?.replace(/\?.*/s, '');
        if (path !== PATH || (request.method !== 'GET' && request.method !== 'HEAD')) {
          response.writeHead(404, { 'content-type': 'text/plain' }).end(`There is only GET ${PATH} here.\n`);
          return;
        }
        register.metrics().then(
          (text) => response.writeHead(200, { 'content-type': register.contentType }).end(text),
          () => response.writeHead(500).end(),
        );
      });
      app.addHook(
        'onReady',
        () =>
          new Promise<void>((resolve, reject) => {
            server.once('error', (error) => reject(Object.assign(error, { variable: 'METRICS_PORT' })));
            server.listen({ port, host }, resolve);
          }),
      );
      app.addHook('onClose', (_app, next) => {
        server.close(() => next());
        server.closeAllConnections();
      });
    }
    // Of the process as a whole, so only of one that serves: of memory, processor time, the event loop and descriptors.
    app.addHook('onListen', (next) => {
      collectDefaultMetrics({ register });
      next();
    });
    done();
  },
  {
    name: 'metrics',
    dependencies: ['errors', 'auth', 'audit', 'database', 'drain', 'pictures', 'rate-limit', 'sweep'],
  },
);
