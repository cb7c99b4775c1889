import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { freePort } from './ports.js';
import { kill } from './process.js';

export interface RedisProcess {
  readonly url: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** It keeps its connections and answers nothing. */
  pause(): void;
  resume(): void;
}

/** A Redis server of the test's own, which keeps nothing on disk. It has not started yet. */
export async function makeRedis(t: Test, password = ''): Promise<RedisProcess> {
  const port = await freePort();
  let child: ChildProcess | undefined;
  t.teardown(() => kill(child));
  return {
    url: `redis://${password === '' ? '' : `:${password}@`}127.0.0.1:${port}`,
    start: async () => {
      const options = { bind: '127.0.0.1', port, save: '', requirepass: password };
      const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
      const started = (child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] }));
      const lines: string[] = [];
      await new Promise<void>((resolve, reject) => {
        started.on('error', reject);
        started.on('exit', (code) => reject(new Error(`redis-server ended with ${code}:\n${lines.join('\n')}`)));
        createInterface({ input: started.stdout }).on('line', (line) => {
          lines.push(line);
          if (line.includes('Ready to accept connections')) resolve();
        });
      });
    },
    kill: () => kill(child),
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
  };
}
