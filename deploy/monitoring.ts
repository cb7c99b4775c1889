/** What is watched: alerts with what they mean and what to do, and the panels of the dashboard. */
import type { OperationId } from '../openapi/operation.js';
import type { ProblemSlug } from '../openapi/problem-error.js';
import type { MetricName } from '../plugins/metrics/list.js';

/** Names in expressions; what is not there any more does not compile. */
const metric = (name: MetricName): MetricName => name;
const operation = (id: OperationId): OperationId => id;
const problem = (slug: ProblemSlug): ProblemSlug => slug;
/** Of prom-client's own metrics and of Prometheus itself, those that are watched; a test finds each at a server. */
export type ProcessMetric =
  | 'nodejs_eventloop_lag_p99_seconds'
  | 'process_cpu_seconds_total'
  | 'process_max_fds'
  | 'process_open_fds'
  | 'process_resident_memory_bytes';
const ofProcess = (name: ProcessMetric): ProcessMetric => name;

/** By the job's name that the scrape configuration gives. */
export const JOB = 'hospital';

const requests = metric('http_requests_total');
const durations = `${metric('http_request_duration_seconds')}_bucket`;

const p99 = (by: string): string =>
  `histogram_quantile(0.99, sum by (${by}) (rate(${durations}{operation!="none"}[5m])))`;
const failing = `sum(rate(${requests}{status=~"5.."}[5m])) / sum(rate(${requests}[5m]))`;

export interface Alert {
  readonly name: string;
  readonly expr: string;
  /** How long it has to be so. */
  readonly for: string;
  /** `critical`: somebody is called, at night too. */
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
  readonly meaning: string;
  readonly action: string;
}

export const ALERTS: readonly Alert[] = [
  {
    name: 'HospitalDown',
    expr: `up{job="${JOB}"} == 0`,
    ...{ for: '1m', severity: 'critical' },
    summary: 'An instance does not answer.',
    meaning:
      'Prometheus can not read the metrics of an instance: its process has ended, hangs, or the network is in the way.',
    action:
      'Ask `/health/live` of that instance. If nothing answers, read the last lines of its log, which tell why a start was refused or what stopped it; then start it.',
  },
  {
    name: 'HospitalDatabaseAway',
    expr: `${metric('hospital_database_up')} == 0`,
    ...{ for: '1m', severity: 'critical' },
    summary: 'An instance does without its database.',
    meaning: 'Calls that need the database are answered 503. The log has one line of when that began, and why.',
    action:
      'Look whether PostgreSQL runs, takes connections and can write (disk full, a standby, a certificate that ended). Nothing has to be restarted here: service resumes within a second of the database.',
  },
  {
    name: 'HospitalRequestsFail',
    expr: `${failing} > 0.01`,
    ...{ for: '5m', severity: 'critical' },
    summary: 'More than 1 % of the requests fail.',
    meaning:
      'Answers with 500 or 503. `hospital_problems_total` tells which, `hospital_database_errors_total` the reason of the database.',
    action:
      'If another alert of this page fires too, begin with that one. Else find the lines of the log with `"status":5`.',
  },
  {
    name: 'HospitalFault',
    expr: `increase(${metric('hospital_problems_total')}{problem="${problem('internal-error')}"}[10m]) > 0`,
    ...{ for: '0m', severity: 'warning' },
    summary: 'The program met a fault.',
    meaning: 'A request was answered 500: something that should not be possible. Nothing of it was stored.',
    action:
      'Keep the log\'s line "unexpected error", which has the places in the code and no data of patients, and report it.',
  },
  {
    name: 'HospitalSlow',
    expr: `${p99('le')} > 1`,
    ...{ for: '10m', severity: 'warning' },
    summary: 'One answer in a hundred takes longer than a second.',
    meaning: 'Most likely the database or the machine has more to do than it can.',
    action:
      'See on the dashboard which operations are slow. Searches alone: somebody asks for much. All: look at the processor, the event loop and what PostgreSQL is busy with (`pg_stat_activity`).',
  },
  {
    name: 'HospitalConnectionsScarce',
    expr: `min_over_time(${metric('hospital_database_waiting')}[5m]) > 0`,
    ...{ for: '0m', severity: 'warning' },
    summary: 'Work waits for a connection all the time.',
    meaning: 'All connections of `DATABASE_POOL` are busy. After 10 s of waiting a request is answered 503.',
    action:
      'If the database has room for more, raise `DATABASE_POOL`; the sum over all instances has to stay below its `max_connections`. If its processors are busy, more connections make it slower.',
  },
  {
    name: 'HospitalTableLocked',
    expr: `increase(${metric('hospital_database_errors_total')}{code="55P03"}[10m]) > 3`,
    ...{ for: '0m', severity: 'warning' },
    summary: 'Something holds a lock that requests wait for.',
    meaning:
      'Statements gave up a lock after 5 s: another program, or somebody in `psql`, keeps a transaction open or has locked a table.',
    action:
      'Find it with `select pid, state, xact_start, query from pg_stat_activity where cardinality(pg_blocking_pids(pid)) = 0 order by xact_start` and end it, if need be by `pg_terminate_backend(pid)`.',
  },
  {
    name: 'HospitalAuditBehind',
    expr: `${metric('hospital_audit_waiting')} > 5000`,
    ...{ for: '1m', severity: 'critical' },
    summary: 'The audit can not be written.',
    meaning: 'Who saw which record is kept in memory. From 10,000 events on, what would be recorded is answered 503.',
    action:
      'The database takes no writes or is far too slow: do as for HospitalDatabaseAway. Do not kill the instance: it writes what waits once it can.',
  },
  {
    name: 'HospitalAuditLost',
    expr: `increase(${metric('hospital_audit_lost_total')}[1h]) > 0`,
    ...{ for: '0m', severity: 'critical' },
    summary: 'Events of the audit were lost.',
    meaning:
      'Reads under way while the database was away could not be recorded. Changes are recorded with themselves and never lost.',
    action: 'Note when and how many, which the log says, for whoever answers for the protection of data.',
  },
  {
    name: 'HospitalRoundsFail',
    expr: `increase(${metric('hospital_round_failures_total')}[15m]) > 2`,
    ...{ for: '0m', severity: 'warning' },
    summary: 'Work in the background fails again and again.',
    meaning:
      'Sealing the audit, offering what became free or removing what is old did not succeed; the label `round` tells which.',
    action:
      'Read the log. If the database is well, report it: requests are not affected, but what the round does is late.',
  },
  {
    name: 'HospitalQueueLong',
    expr: `min_over_time(${metric('hospital_queue_waiting')}[5m]) > 20`,
    ...{ for: '0m', severity: 'warning' },
    summary: 'Passwords, pictures or searches wait in a long line.',
    meaning: 'More of them come than one instance can do. When the line is full, further ones are answered 503.',
    action:
      'See in the log and at the proxy who sends them: somebody guesses passwords, or an import runs. If it is the clinic itself, add an instance.',
  },
  {
    name: 'HospitalPasswordsGuessed',
    expr: `sum(rate(${requests}{operation="${operation('logIn')}",status=~"401|429"}[10m])) > 1`,
    ...{ for: '10m', severity: 'warning' },
    summary: 'Somebody may be guessing passwords.',
    meaning:
      'More than one sign-in a second fails. Ten wrong ones for a name from an address are all that are judged in a quarter of an hour.',
    action: 'Read `GET /audit-events/?outcome=refused`, which has the addresses, and keep them out at the proxy.',
  },
  {
    name: 'HospitalRedisAway',
    expr: `${metric('hospital_redis_up')} == 0`,
    ...{ for: '5m', severity: 'warning' },
    summary: 'Rate limits are not shared.',
    meaning:
      'Redis is away: each instance counts on its own, so that a caller has as many limits as there are instances.',
    action: 'Bring Redis back. Nothing has to be restarted here.',
  },
  {
    name: 'HospitalReplicaBehind',
    expr: `${metric('hospital_replica_lag_seconds')} > 60`,
    ...{ for: '5m', severity: 'warning' },
    summary: 'The standby is not asked.',
    meaning:
      'The standby of `DATABASE_REPLICA_URL` is away, or more than a minute behind: the primary answers what it would, and nobody waits for it.',
    action:
      'See in `pg_stat_replication` of the primary whether it is connected, and in its log what holds it up. Nothing has to be restarted here.',
  },
  {
    name: 'HospitalPicturesAway',
    expr: `${metric('hospital_pictures_up')} == 0`,
    ...{ for: '1m', severity: 'critical' },
    summary: 'Pictures can not be stored or shown.',
    meaning:
      'The folder `pictures/` of `DATA_DIR` can not be written or read (the disk is full, not mounted or has other rights), and `/health/ready` is 503; or the bucket of `S3_BUCKET` can not, and all else goes on.',
    action:
      'Make room, mount it, or bring the store back. The log has the reason, and says when it is over; nothing has to be restarted here.',
  },
  {
    name: 'HospitalEventLoopBusy',
    expr: `${ofProcess('nodejs_eventloop_lag_p99_seconds')}{job="${JOB}"} > 0.25`,
    ...{ for: '5m', severity: 'warning' },
    summary: "An instance's processor is busy.",
    meaning: 'Everything that the instance answers is late by that much.',
    action: 'Add an instance, or give it a processor of its own: one process uses one.',
  },
  {
    name: 'HospitalDescriptorsScarce',
    expr: `${ofProcess('process_open_fds')}{job="${JOB}"} / ${ofProcess('process_max_fds')}{job="${JOB}"} > 0.8`,
    ...{ for: '5m', severity: 'warning' },
    summary: 'An instance has nearly all the descriptors it may have.',
    meaning: 'Each connection of a client is one. At the bound, new ones are refused.',
    action:
      'Raise `LimitNOFILE` of the service; see at the proxy whether it keeps more connections open than it needs.',
  },
];

export interface Panel {
  readonly title: string;
  /** Grafana's name of it. */
  readonly unit: string;
  /** Each with the legend of its lines. */
  readonly queries: readonly (readonly [expr: string, legend: string])[];
}

const rate = (name: string): string => `rate(${name}[$__rate_interval])`;

export const PANELS: readonly Panel[] = [
  {
    title: 'Requests by status',
    unit: 'reqps',
    queries: [[`sum by (status) (${rate(requests)})`, '{{status}}']],
  },
  {
    title: 'Busiest operations',
    unit: 'reqps',
    queries: [[`topk(10, sum by (operation) (${rate(`${requests}{operation!="none"}`)}))`, '{{operation}}']],
  },
  {
    title: 'Answer times',
    unit: 's',
    queries: [0.5, 0.95, 0.99].map((share): [string, string] => [
      `histogram_quantile(${share}, sum by (le) (${rate(`${durations}{operation!="none"}`)}))`,
      `p${share * 100}`,
    ]),
  },
  {
    title: 'Slowest operations (p99)',
    unit: 's',
    queries: [[`topk(10, ${p99('le, operation')})`, '{{operation}}']],
  },
  {
    title: 'Bookings and what kept others from one',
    unit: 'short',
    queries: [[`sum by (outcome) (increase(${metric('hospital_bookings_total')}[1h]))`, '{{outcome}}']],
  },
  {
    title: 'Refusals and faults by problem',
    unit: 'reqps',
    queries: [[`sum by (problem) (${rate(metric('hospital_problems_total'))})`, '{{problem}}']],
  },
  {
    title: 'Connections to the database',
    unit: 'short',
    queries: [
      [
        `sum by (instance, lane, state) (${metric('hospital_database_connections')})`,
        '{{instance}} {{lane}} {{state}}',
      ],
      [metric('hospital_database_waiting'), '{{instance}} waiting'],
    ],
  },
  {
    title: 'How far the standby is behind',
    unit: 's',
    queries: [[metric('hospital_replica_lag_seconds'), '{{instance}}']],
  },
  {
    title: 'Errors of the database',
    unit: 'reqps',
    queries: [[`sum by (code) (${rate(metric('hospital_database_errors_total'))})`, '{{code}}']],
  },
  {
    title: 'Queues',
    unit: 'short',
    queries: [
      [metric('hospital_queue_running'), '{{instance}} {{queue}} in work'],
      [metric('hospital_queue_waiting'), '{{instance}} {{queue}} waiting'],
    ],
  },
  {
    title: 'Audit events that wait or were lost',
    unit: 'short',
    queries: [
      [metric('hospital_audit_waiting'), '{{instance}} waiting'],
      [`increase(${metric('hospital_audit_lost_total')}[1h])`, '{{instance}} lost'],
    ],
  },
  {
    title: 'Since the last round of work in the background',
    unit: 's',
    queries: [[`time() - ${metric('hospital_round_success_timestamp_seconds')}`, '{{instance}} {{round}}']],
  },
  {
    title: 'What instances stand on',
    unit: 'short',
    queries: (['hospital_database_up', 'hospital_redis_up', 'hospital_pictures_up', 'hospital_draining'] as const).map(
      (name): [string, string] => [metric(name), `{{instance}} ${name}`],
    ),
  },
  {
    title: 'Memory',
    unit: 'bytes',
    queries: [[`${ofProcess('process_resident_memory_bytes')}{job="${JOB}"}`, '{{instance}}']],
  },
  {
    title: 'Processor and event loop',
    unit: 'percentunit',
    queries: [
      [rate(`${ofProcess('process_cpu_seconds_total')}{job="${JOB}"}`), '{{instance}} processor'],
      [`${ofProcess('nodejs_eventloop_lag_p99_seconds')}{job="${JOB}"}`, '{{instance}} event loop p99, in seconds'],
    ],
  },
  {
    title: 'Versions',
    unit: 'short',
    queries: [[`sum by (version) (${metric('hospital_info')})`, '{{version}}']],
  },
];
