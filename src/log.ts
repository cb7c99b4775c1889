import pino, { type Logger } from 'pino';
import { loggable } from '../plugins/errors.js';
import type { Config } from './config.js';

/** What the text of a line for people says of an answer, and does not repeat after it. */
const ANSWERED = ['method', 'route', 'path', 'status', 'milliseconds', 'problem', 'reason'];

/** A line's text as people read it. */
function textOf(line: Readonly<Record<string, unknown>>): string {
  const { msg, method, route, path, status, milliseconds, problem, reason } = line as Record<
    string,
    string | undefined
  >;
  if (msg !== 'answered') return msg ?? '';
  const why = [problem, reason].filter((part) => part !== undefined).join(': ');
  return `${method ?? ''} ${path ?? route ?? ''} ${status ?? ''} in ${milliseconds ?? ''} ms${why && ` (${why})`}`;
}

/**
 * Opens the log: a line of JSON for each event, or outside production a line for people where a terminal shows it.
 * @param mixin gives what else a line has
 */
export async function openLog(
  { logLevel, isProduction }: Config,
  isTerminal: boolean,
  mixin?: () => object,
): Promise<Logger> {
  const options = {
    level: logLevel,
    base: { pid: process.pid },
    ...(mixin !== undefined && { mixin }),
    // What reaches the log by way of libraries is held to the same rule as ours: of a form they would tell all headers.
    serializers: { err: loggable, busboyOptions: ({ limits }: { limits: unknown }) => ({ limits }) },
  };
  if (isTerminal && !isProduction) {
    const { default: pretty } = await import('pino-pretty');
    const ignore = ['pid', 'reqId', 'trace_id', 'span_id', ...ANSWERED].join(',');
    return pino(
      options,
      pretty({ ignore, messageFormat: textOf, translateTime: 'SYS:HH:MM:ss', singleLine: true, sync: true }),
    );
  }
  // Lines leave together, at the latest after a tenth of a second: a write for each costs as much as a small answer.
  return pino(options, pino.destination({ sync: false, minLength: 8192, periodicFlush: 100 }));
}
