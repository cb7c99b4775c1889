/** Every metric of ours that `/metrics` tells: pages, dashboard and alerts are made from this list too. */
interface Metric {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

export const METRICS = {
  http_requests_total: {
    kind: 'counter',
    help: 'Requests answered, by operation of the contract (none for pages, probes and what is not there) and status.',
    labels: ['operation', 'status'],
  },
  http_request_duration_seconds: {
    kind: 'histogram',
    help: 'Seconds from the head of a request to the end of its answer, by operation.',
    labels: ['operation'],
  },
  hospital_problems_total: {
    kind: 'counter',
    help: 'Requests refused or failed, by the type of the problem, as docs/errors.md has them.',
    labels: ['problem'],
  },
  hospital_bookings_total: {
    kind: 'counter',
    help: 'Attempts to take a slot, by operation, and outcome: booked, or the type of the problem. Repeats by Idempotency-Key are not counted.',
    labels: ['operation', 'outcome'],
  },
  hospital_database_up: {
    kind: 'gauge',
    help: '1 while the database does its work, 0 while it is away or not migrated yet.',
    labels: [],
  },
  hospital_database_errors_total: {
    kind: 'counter',
    help: 'Requests answered 503 for the database, by SQLSTATE or the code of the system.',
    labels: ['code'],
  },
  hospital_database_connections: {
    kind: 'gauge',
    help: 'Connections that one piece of work has at a time, by lane: brief gives up a lock at once, patient waits for it.',
    labels: ['lane', 'state'],
  },
  hospital_database_waiting: {
    kind: 'gauge',
    help: 'Queries and transactions that wait for a connection.',
    labels: [],
  },
  hospital_replica_lag_seconds: {
    kind: 'gauge',
    help: 'By how much the standby is known to be behind at the most; from 5 on it is not asked. Only where there is one.',
    labels: [],
  },
  hospital_queue_running: {
    kind: 'gauge',
    help: 'Tasks in work, by queue: passwords (argon2), pictures, searches.',
    labels: ['queue'],
  },
  hospital_queue_waiting: {
    kind: 'gauge',
    help: 'Tasks that wait for their turn, by queue.',
    labels: ['queue'],
  },
  hospital_audit_waiting: {
    kind: 'gauge',
    help: 'Events of the audit that are not written yet. From 10,000 on, what would be recorded is answered 503.',
    labels: [],
  },
  hospital_audit_lost_total: {
    kind: 'counter',
    help: 'Events of the audit that could not be kept until the database was back.',
    labels: [],
  },
  hospital_round_success_timestamp_seconds: {
    kind: 'gauge',
    help: 'When work that is done time and again was last done without an error, in seconds since 1970, by its name.',
    labels: ['round'],
  },
  hospital_round_failures_total: {
    kind: 'counter',
    help: 'Rounds of such work that failed.',
    labels: ['round'],
  },
  hospital_redis_up: {
    kind: 'gauge',
    help: '1 while limits are shared in Redis, 0 while this instance counts on its own; absent without REDIS_URL.',
    labels: [],
  },
  hospital_pictures_up: {
    kind: 'gauge',
    help: '1 while pictures can be stored and read.',
    labels: [],
  },
  hospital_picture_errors_total: {
    kind: 'counter',
    help: 'Attempts to write, read or remove a picture that the folder or bucket failed.',
    labels: ['action'],
  },
  hospital_draining: {
    kind: 'gauge',
    help: '1 from when the server is told to stop.',
    labels: [],
  },
  hospital_info: {
    kind: 'gauge',
    help: 'Always 1, with the version of the contract.',
    labels: ['version'],
  },
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof METRICS;
