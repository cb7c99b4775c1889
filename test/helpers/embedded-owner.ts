/**
 * A process that opens the embedded database for a test: `node embedded-owner.js <EmbeddedOptions as JSON>`. It answers
 * with one line of JSON, and stops the database when its standard input ends. Ctrl-C does not end it.
 */
import { EmbeddedInUse } from '../../db/embedded/in-use.js';
import { openEmbedded, type EmbeddedOptions } from '../../db/embedded/index.js';

export interface Answer {
  url?: string;
  owned?: boolean;
  /** The message of the error instead, if it did not open. */
  error?: string;
  isInUse?: boolean;
}

const answer = (value: Answer) => process.stdout.write(`${JSON.stringify(value)}\n`);
process.on('SIGINT', () => undefined);
try {
  const { url, owned, stop } = await openEmbedded(JSON.parse(process.argv[2] ?? '') as EmbeddedOptions);
  process.stdin.once('end', () => void stop()).resume();
  answer({ url, owned });
} catch (error) {
  answer({ error: (error as Error).message, isInUse: error instanceof EmbeddedInUse });
}
