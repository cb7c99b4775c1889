import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from './ask.js';
import { makeCertificate } from './certificates.js';
import { freePort } from './ports.js';
import { endsWithUs } from './reaper.js';

export interface Proxy {
  readonly url: string;
  readonly pid: number;
  /** Resolves when it gives requests to an instance (`one` or `two`), or gives it none any more. */
  until(instance: 'one' | 'two', state: 'UP' | 'DOWN'): Promise<void>;
}

/**
 * Starts HAProxy before two instances, with the file of `deploy/` as it stands.
 * @param t what undoes it in the end, as a test does
 */
export async function startHaproxy(
  t: { teardown(step: () => unknown): void },
  urls: readonly string[],
): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), 'haproxy-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  makeCertificate(folder, 'hospital', 'IP:127.0.0.1');
  const certificate = join(folder, 'both.pem');
  writeFileSync(
    certificate,
    ['hospital.pem', 'hospital.key'].map((name) => readFileSync(join(folder, name), 'utf8')).join(''),
  );
  const port = await freePort();
  const [one = '', two = ''] = urls.map((url) => new URL(url).host);
  const child = endsWithUs(
    spawn('haproxy', ['-db', '-f', 'deploy/haproxy.cfg'], {
      env: {
        PATH: process.env['PATH'],
        HOSPITAL_BIND: `127.0.0.1:${port}`,
        HOSPITAL_CERTIFICATE: certificate,
        ...{ HOSPITAL_1: one, HOSPITAL_2: two },
      },
    }),
  );
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  let complaints = '';
  child.stderr.on('data', (bytes: Buffer) => (complaints += bytes.toString()));
  const demandItRuns = (): void => {
    if (child.exitCode !== null) throw new Error(`haproxy ended with ${child.exitCode}:\n${complaints}`);
  };
  t.teardown(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const states = (instance: string): string[] =>
    lines.flatMap((line) => new RegExp(`Server instances/${instance} is (UP|DOWN)`).exec(line)?.[1] ?? []);
  const url = `https://127.0.0.1:${port}`;
  while ((await ask(url, { path: '/health/live' })).status !== 200) {
    demandItRuns();
    await sleep(50);
  }
  return {
    url,
    pid: child.pid as number,
    until: async (instance, state) => {
      while (states(instance).at(-1) !== state) {
        demandItRuns();
        await sleep(20);
      }
    },
  };
}
