/** The audit of a server that is a process: what a stop and a crash leave of it, and the command that verifies it. */
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { PASSWORD } from './helpers/app.js';
import { createTestDatabase } from './helpers/database.js';
import { dataFolder, runProgram, startServerProcess } from './helpers/process.js';

interface Registered {
  readonly user: { readonly id: number };
  readonly tokens: { readonly access: string };
}

async function startAudited(t: Test) {
  const environment = { DATABASE_URL: await createTestDatabase(t), DATA_DIR: dataFolder(t) };
  const server = await startServerProcess(t, environment);
  const sql = postgres(environment.DATABASE_URL, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end());
  const register = async (username: string): Promise<Registered> => {
    const answer = await fetch(`${server.url}/api/user/register/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ username, email: `${username}@example.com` },
        ...{ password: PASSWORD, confirm_password: PASSWORD },
      }),
    });
    return (await answer.json()) as Registered;
  };
  /** Reads the own record. @returns the request's id */
  const read = async ({ tokens }: Registered): Promise<string> => {
    const headers = { authorization: `Bearer ${tokens.access}` };
    const answer = await fetch(`${server.url}/patients/me/`, { headers });
    await answer.text();
    t.equal(answer.status, 200);
    return answer.headers.get('x-request-id') as string;
  };
  const recorded = async (): Promise<string[]> =>
    (await sql<{ id: string }[]>`select request_id as id from audit_events where operation = 'getMyPatient'`).map(
      ({ id }) => id,
    );
  return { environment, server, sql, register, read, recorded };
}

t.test('a stop writes what waits', async (t) => {
  const { server, register, read, recorded } = await startAudited(t);
  const ann = await register('ann');
  const reads: string[] = [];
  for (let count = 0; count < 20; count++) reads.push(await read(ann));
  server.child.kill('SIGTERM');
  t.equal(await server.ended, 0);
  t.strictSame((await recorded()).sort(), reads.sort());
});

t.test('a crash loses reads of the last second, and no change', async (t) => {
  const { server, sql, register, read, recorded } = await startAudited(t);
  const ann = await register('ann');
  const old = await read(ann);
  const asked = performance.now();
  while (!(await recorded()).includes(old));
  t.ok(performance.now() - asked < 3_000, 'a second, and what this machine needs besides');
  await read(ann);
  const ben = await register('ben');
  server.child.kill('SIGKILL');
  t.equal(await server.ended, 'SIGKILL');
  t.ok((await recorded()).includes(old));
  const stored = await sql`
    select resource from audit_events where outcome = 'stored' and operation = 'registerUser'
      and (resource not in ('users', 'sessions') or record_ids = array[${ben.user.id}::bigint]) order by 1`;
  t.strictSame(
    stored.map(({ resource }) => resource as string),
    ['patients', 'patients', 'profiles', 'profiles', 'sessions', 'users'],
  );
});

t.test('npm run audit:verify', async (t) => {
  const { environment, server, sql, register, read } = await startAudited(t);
  await read(await register('ann'));
  const verify = (...args: string[]) => runProgram('dist/src/audit-verify.js', environment, args);
  const running = await verify();
  t.match(running, { code: 0, stderr: '', stdout: /^\d+ events in \d+ blocks hold\. Head: \d+:[0-9a-f]{64}\n$/ });
  const head = running.stdout.trim().split(' ').at(-1) as string;
  server.child.kill('SIGTERM');
  await server.ended;
  t.match(await verify('--head', head), { code: 0, stdout: /hold/ });
  t.match(await verify('--head', `1:${'0'.repeat(64)}`), {
    code: 1,
    stdout: /broken: block 1 is not the one that was noted/,
  });
  t.match(await verify('--head', 'x'), { code: 1, stderr: /--head must be a number and a hash/ });
  await sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`update audit_events set address = '::1' where id = 2`;
  });
  t.match(await verify(), { code: 1, stdout: /^The audit is broken: block 1 or one of its \d+ events was changed\./ });
});
