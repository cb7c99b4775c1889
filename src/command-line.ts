import { existsSync, readFileSync } from 'node:fs';
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** The product's version; some commands run as they are, others from dist/. */
export function readVersion(): string {
  const [file] = ['../package.json', '../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .filter(existsSync);
  return (JSON.parse(readFileSync(file as URL, 'utf8')) as { version: string }).version;
}

function refuse(why: string): never {
  process.stderr.write(`${why}. --help tells what there is.\n`);
  process.exit(2);
}

const COMMON = { help: { type: 'boolean' }, version: { type: 'boolean' } } as const;

/**
 * Reads the flags of a command. `--help` prints its usage and `--version` the product's version, which ends the process
 * with 0; what it does not know ends it with 2, in one line.
 * @param names of what stands without a flag, in order
 */
export function readFlags<const T extends NonNullable<ParseArgsConfig['options']>, const Name extends string = never>(
  usage: string,
  options: T,
  names: readonly Name[] = [],
) {
  try {
    const { values, positionals } = parseArgs({
      options: { ...options, ...COMMON },
      allowPositionals: names.length > 0,
    });
    const given: { help?: unknown; version?: unknown } = values;
    if (given.help === true || given.version === true) {
      process.stdout.write(given.help === true ? usage : `${readVersion()}\n`);
      process.exit(0);
    }
    if (positionals.length !== names.length) refuse(`It takes ${names.join(' and ')}`);
    const named = names.map((name, place): [Name, string] => [name, positionals[place] as string]);
    return { ...values, ...(Object.fromEntries(named) as Record<Name, string>) };
  } catch (error) {
    if (!(error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) throw error;
    return refuse((error as Error).message.split('. ')[0] ?? '');
  }
}
