import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { databaseEndsWithUs, endsWithUs } from './reaper.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A data folder that goes after what uses it has ended: tap removes one first that is made before there is a teardown. */
export function dataFolder(t: Test): string {
  t.teardown(() => undefined);
  return t.testdir();
}

export interface ServerProcess {
  readonly child: ChildProcess;
  readonly url: string;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  readonly log: readonly string[];
}

/** The environment of a server of its own: nothing of the test run's. */
function serverEnvironment(environment: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', ...environment };
}

/** Starts a built program, which ends with this process, as does its database. */
export function start(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  cwd = root,
): ChildProcessWithoutNullStreams {
  if (environment['DATA_DIR'] !== undefined) databaseEndsWithUs(environment['DATA_DIR']);
  return endsWithUs(spawn(process.execPath, args, { cwd, env: serverEnvironment(environment) }));
}

/** Kills a program, if there is one that still runs, and waits for its end. */
export async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

export interface Ended {
  readonly code: number | string;
  readonly stderr: string;
  readonly stdout: string;
}

/** Runs a built program to its end. */
export async function runProgram(
  file: string,
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  input = '',
): Promise<Ended> {
  const child = start([file, ...args], environment);
  child.stdin.end(input);
  let stderr = '';
  let stdout = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const code = await new Promise<number | string>((resolve) =>
    child.on('close', (status, signal) => resolve(status ?? signal ?? 1)),
  );
  return { code, stderr, stdout };
}

/** Starts the built server, or another program, as a process and waits until it is ready, or listens without a database. */
export async function startServerProcess(
  t: Test,
  environment: Readonly<Record<string, string>>,
  cwd = root,
  file = 'dist/src/server.js',
): Promise<ServerProcess> {
  const child = start(['--enable-source-maps', file], environment, cwd);
  const log: string[] = [];
  const ended = new Promise<number | string>((resolve) =>
    child.on('exit', (code, signal) => resolve(code ?? signal ?? 1)),
  );
  t.teardown(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
    let address: string | undefined;
    createInterface({ input: child.stdout }).on('line', (line) => {
      log.push(line);
      address ??= /Server listening at (http:\/\/[\d.:]+)/.exec(line)?.[1];
      if (address !== undefined && /"msg":"(ready|listening without a database)"/.test(line)) resolve(address);
    });
    void ended.then((code) => reject(new Error(`the server ended with ${code}:\n${log.join('\n')}`)));
  });
  return { child, url, ended, log };
}

/** Starts the built demo and gives what it printed until it listened. */
export async function startDemo(
  t: Test,
  environment: Record<string, string>,
  args: readonly string[] = [],
): Promise<{ text: string; url: string }> {
  // Empty variables count as unset.
  const child = start(['dist/src/demo.js', ...args], { HOST: '', ...environment });
  child.stderr.pipe(process.stderr);
  const ended = new Promise((resolve) => child.on('exit', resolve));
  t.teardown(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  let text = '';
  for await (const line of createInterface({ input: child.stdout })) {
    text += `${line}\n`;
    if (line.includes('Ctrl-C')) break;
  }
  return { text, url: /http:\/\/localhost:\d+/.exec(text)?.[0] ?? '' };
}
