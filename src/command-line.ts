import { existsSync, readFileSync } from 'node:fs';
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** The product's version; some commands run as they are, others from dist/. */
export function readVersion(): string {
  const [file] = ['../package.json', '../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .filter(existsSync);
  return (JSON.parse(readFileSync(file as URL, 'utf8')) as { version: string }).version;
}

const COMMON = { help: { type: 'boolean' }, version: { type: 'boolean' } } as const;

/**
 * Reads the flags of a command. `--help` prints its usage and `--version` the product's version, which ends the process
 * with 0; what it does not know ends it with 2, in one line.
 */
export function readFlags<const T extends NonNullable<ParseArgsConfig['options']>>(usage: string, options: T) {
  try {
    const { values } = parseArgs({ options: { ...options, ...COMMON } });
    const given: { help?: unknown; version?: unknown } = values;
    if (given.help === true || given.version === true) {
      process.stdout.write(given.help === true ? usage : `${readVersion()}\n`);
      process.exit(0);
    }
    return values;
  } catch (error) {
    if (!(error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) throw error;
    process.stderr.write(`${(error as Error).message.split('. ')[0] ?? ''}. --help tells what there is.\n`);
    process.exit(2);
  }
}
