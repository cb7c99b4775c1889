/** Servers in several processes on one port, over real HTTP. */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { PASSWORD, SECRET } from './helpers/app.js';
import { createTestDatabase } from './helpers/database.js';
import { freePort } from './helpers/ports.js';
import { dataFolder, runProgram, startServerProcess, type ServerProcess } from './helpers/process.js';

const FILE = 'dist/src/cluster.js';

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50);
}

interface Cluster extends ServerProcess {
  readonly databaseUrl: string;
  /** The processes that have said that they are ready, the latest last. */
  readonly ready: () => number[];
  /** Those of them that run. */
  readonly alive: () => number[];
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const pidsOf = (log: readonly string[], message: string): number[] =>
  log.filter((line) => line.includes(`"msg":"${message}"`)).map((line) => (JSON.parse(line) as { pid: number }).pid);

async function startCluster(t: Test, environment: Record<string, string> = {}): Promise<Cluster> {
  const databaseUrl = await createTestDatabase(t);
  const settings = {
    ...{ DATABASE_URL: databaseUrl, DATA_DIR: dataFolder(t), JWT_SECRET: SECRET, WORKERS: '3', DATABASE_POOL: '10' },
    ...{ RATE_LIMIT_ANON: '1000000', RATE_LIMIT_AUTH: '1000000', RATE_LIMIT_USER: '1000000' },
    ...environment,
  };
  const server = await startServerProcess(t, settings, undefined, FILE);
  const ready = (): number[] => pidsOf(server.log, 'ready');
  const alive = (): number[] => ready().filter(isAlive);
  await until(() => alive().length === Number(settings.WORKERS));
  return { ...server, databaseUrl, ready, alive };
}

/** The status of a request over a connection of its own; 0 where there is no answer. */
const statusOf = (url: string, body?: object): Promise<number> =>
  new Promise((resolve) => {
    const method = body === undefined ? 'GET' : 'POST';
    const asked = request(url, { method, agent: false, headers: { 'content-type': 'application/json' } }, (answer) => {
      answer
        .resume()
        .on('error', () => resolve(0))
        .on('end', () => resolve(answer.statusCode ?? 0));
    });
    asked.setTimeout(30_000, () => asked.destroy()).on('error', () => resolve(0));
    asked.end(body && JSON.stringify(body));
  });

/** Clients that read and send contact requests, one after the other, until they are told to end. */
function load({ url }: Cluster, clients: number) {
  const statuses = new Map<number, number>();
  let isOver = false;
  let made = 0;
  const count = (status: number): number => {
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    return status;
  };
  const running = Array.from({ length: clients }, async () => {
    while (!isOver) {
      count(await statusOf(`${url}/designations/`));
      const contact = { name: 'Ada', phone: '+1 201 555 0123', massage: randomUUID() };
      if (count(await statusOf(`${url}/contacts/`, contact)) === 201) made++;
    }
  });
  return {
    statuses,
    made: () => made,
    end: async () => {
      isOver = true;
      await Promise.all(running);
    },
  };
}

async function rowsOf({ databaseUrl }: Cluster, query: string): Promise<number> {
  const sql = postgres(databaseUrl, { max: 1 });
  const [row] = await sql.unsafe<{ count: number }[]>(query);
  await sql.end();
  return row?.count ?? 0;
}

t.test('several processes answer on one port, within the connections of one', async (t) => {
  const metricsPort = await freePort();
  const cluster = await startCluster(t, { METRICS_PORT: String(metricsPort) });
  const { log } = cluster;
  t.match(log.join('\n'), /"3 servers, each with 3 of the 10 connections of DATABASE_POOL"/);
  t.match(
    log.join('\n'),
    /"each of the 3 servers limits requests on its own: set REDIS_URL, or a client has 3 times as many"/,
  );
  const clients = load(cluster, 12);
  await until(() => clients.made() > 60);
  t.ok(
    (await rowsOf(
      cluster,
      `select count(*)::int from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`,
    )) <= 10,
  );
  await clients.end();
  t.strictSame([...clients.statuses.keys()].sort(), [200, 201]);
  let told = 0;
  for (let place = 0; place < 3; place++) {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort + place}/metrics`)).text();
    const answered = Number(
      /^http_requests_total\{operation="createContact",status="201"\} (\d+)$/m.exec(text)?.[1] ?? 0,
    );
    t.ok(answered > 0, 'each has a part in it');
    told += answered;
  }
  t.equal(told, clients.made());

  await t.test('kill -9 of one costs its own requests at the most, and another comes', async (t) => {
    const clients = load(cluster, 12);
    await until(() => clients.made() > 20);
    const [victim = 0] = cluster.alive();
    process.kill(victim, 'SIGKILL');
    await until(() => cluster.ready().length === 4);
    const before = clients.made();
    await until(() => clients.made() > before + 20);
    await clients.end();
    t.strictSame(
      [...clients.statuses.keys()].filter((status) => ![0, 200, 201].includes(status)),
      [],
    );
    t.ok((clients.statuses.get(0) ?? 0) <= 12, `of ${clients.made()} ${clients.statuses.get(0) ?? 0} have no answer`);
    t.ok(
      (await rowsOf(cluster, 'select count(*)::int from contacts')) >= told + clients.made(),
      'what was answered is there',
    );
    t.match(
      log.join('\n'),
      new RegExp(`"the server of process ${victim} has ended \\(SIGKILL\\), and another is started"`),
    );
    t.equal(cluster.alive().length, 3);
  });

  await t.test('SIGHUP exchanges all, and no request fails', async (t) => {
    const old = cluster.alive();
    const clients = load(cluster, 8);
    await until(() => clients.made() > 8);
    cluster.child.kill('SIGHUP');
    await until(() => log.some((line) => line.includes('the servers have been exchanged')));
    await clients.end();
    t.strictSame([...clients.statuses.keys()].sort(), [200, 201]);
    t.strictSame(old.filter(isAlive), []);
    t.equal(cluster.alive().length, 3);
  });

  await t.test('SIGTERM lets all finish, and leaves none', async (t) => {
    const clients = load(cluster, 8);
    await until(() => clients.made() > 8);
    const pids = cluster.alive();
    cluster.child.kill('SIGTERM');
    t.equal(await cluster.ended, 0);
    await clients.end();
    // Those that came when nobody listened any more.
    t.strictSame(
      [...clients.statuses.keys()].filter((status) => ![0, 200, 201].includes(status)),
      [],
    );
    t.strictSame(pids.filter(isAlive), []);
    t.notMatch(log.join('\n'), /"status":5\d\d/);
    const refused = await new Promise((resolve) => {
      connect(Number(new URL(cluster.url).port), '127.0.0.1')
        .on('error', () => resolve(true))
        .on('connect', () => resolve(false));
    });
    t.ok(refused);
  });
});

t.test('kill -9 of the process that keeps them leaves none', async (t) => {
  const cluster = await startCluster(t, { WORKERS: '2' });
  const pids = cluster.alive();
  cluster.child.kill('SIGKILL');
  t.equal(await cluster.ended, 'SIGKILL');
  await until(() => !pids.some(isAlive));
});

t.test('what can not be started is said once', async (t) => {
  const DATABASE_URL = await createTestDatabase(t);
  const port = await freePort();
  const ADMIN = { ADMIN_USERNAME: 'boss', ADMIN_EMAIL: 'boss@example.com', ADMIN_PASSWORD: PASSWORD.slice(0, 3) };
  for (const [environment, stderr] of [
    [{}, /^DATABASE_URL must be set: the embedded PostgreSQL is for one process\n$/],
    [{ DATABASE_URL, DATABASE_POOL: '2' }, /^DATABASE_POOL must be at least WORKERS, but is "2" for 3\n$/],
    [{ DATABASE_URL, WORKERS: '0' }, /^WORKERS must be an integer from 1 to 256, but is "0"\n$/],
    [{ DATABASE_URL, PORT: String(port), ...ADMIN }, /^ADMIN_PASSWORD can not be used: .*\n$/],
  ] as const) {
    const ended = await runProgram(FILE, { DATA_DIR: dataFolder(t), WORKERS: '3', ...environment });
    t.equal(ended.code, 1);
    t.match(ended.stderr, stderr);
  }
});
