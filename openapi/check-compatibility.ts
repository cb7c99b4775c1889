/**
 * `npm run contract:compat`: holds openapi.yaml against the newest of released/, which keeps the contract of each release
 * as <version>.yaml. released/incompatible.yaml has the reasons for what breaks clients all the same.
 */
import { readdir, readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { readFlags } from '../src/command-line.js';
import { releaseFaults } from './compatibility.js';

readFlags(
  'Names what openapi/openapi.yaml breaks for clients of the newest contract in openapi/released/, and exits with 1.\n',
  {},
);

const read = async (name: string): Promise<unknown> =>
  parse(await readFile(new URL(name, import.meta.url), 'utf8')) as unknown;

const versions = (await readdir(new URL('released', import.meta.url)))
  .filter((name) => /^\d+\.\d+\.\d+\.yaml$/.test(name))
  .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
const newest = versions.at(-1) ?? '';
const faults = releaseFaults({
  released: (await read(`released/${newest}`)) as Record<string, unknown>,
  contract: (await read('openapi.yaml')) as Record<string, unknown>,
  reasons: ((await read('released/incompatible.yaml')) ?? {}) as Record<string, string>,
});
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) {
  process.stderr.write(
    'Lines after "incompatible" go into openapi/released/incompatible.yaml, each with its reason.\n',
  );
  process.exitCode = 1;
} else {
  process.stdout.write(`openapi.yaml breaks nothing of ${newest} without a reason\n`);
}
