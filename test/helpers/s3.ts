import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { freePort } from './ports.js';
import { kill } from './process.js';
import { endsWithUs } from './reaper.js';

export const BUCKET = 'clinic-pictures';

export interface S3Process {
  readonly url: string;
  /** What a server takes to keep pictures there. */
  readonly environment: Readonly<Record<string, string>>;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** It keeps its connections and answers nothing. */
  pause(): void;
  resume(): void;
  /** The keys of what is in the bucket. */
  keys(): string[];
}

/**
 * The package has a server, and no program that would start it. With the last file of a folder it removes the folder,
 * and what is written there meanwhile, as no store does that has keys instead of folders.
 */
const PROGRAM = `
  require('node:fs').promises.rm = async () => {};
  const S3rver = require('@20minutes/s3rver');
  new S3rver(JSON.parse(process.argv[1])).run().then(() => console.log('listening'));`;

/** A store of the test's own that speaks as S3 does, with a bucket in it. It has not started yet. */
export async function makeS3(t: Test): Promise<S3Process> {
  const port = await freePort();
  // Not of tap's, which an instance of the same test has.
  const directory = mkdtempSync(join(tmpdir(), 's3-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  t.teardown(() => kill(child));
  const suffix = '._S3rver_object';
  return {
    url,
    environment: {
      ...{ S3_BUCKET: BUCKET, S3_ENDPOINT: url },
      // Those of the server, which has no others.
      ...{ S3_ACCESS_KEY_ID: 'S3RVER', S3_SECRET_ACCESS_KEY: 'S3RVER' },
    },
    start: async () => {
      const options = { port, address: '127.0.0.1', directory, silent: true, configureBuckets: [{ name: BUCKET }] };
      const started = (child = endsWithUs(
        spawn(process.execPath, ['-e', PROGRAM, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] }),
      ));
      await new Promise<void>((resolve, reject) => {
        started.on('exit', (code) => reject(new Error(`the store ended with ${code}`)));
        createInterface({ input: started.stdout }).on('line', (line) => line === 'listening' && resolve());
      });
    },
    kill: () => kill(child),
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    keys: () => {
      const folder = join(directory, BUCKET);
      return existsSync(folder)
        ? readdirSync(folder, { recursive: true, encoding: 'utf8' })
            .filter((name) => name.endsWith(suffix))
            .map((name) => name.slice(0, -suffix.length))
            .sort()
        : [];
    },
  };
}
