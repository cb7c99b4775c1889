import { tookTooLong, type Database, type Db } from '../db/client.js';
import { ProblemError } from '../openapi/problem-error.js';
import { inTurn, type QueueState } from '../openapi/turns.js';

/** Milliseconds after which a read that waits for its turn is not begun any more. */
const MAX_WAIT = 10_000;

/** Seconds after which whoever is refused may try again. */
const RETRY_AFTER = '5';

/** Reads of one caller that wait; the rate limits allow no more than a few times as many in a minute. */
const WAITING = 100;

const BUSY = 'Too many searches are under way at the moment.';
const TOO_LONG = 'This takes too long: longer words, another filter or a page nearer to the first one take less.';

const unavailable = (detail: string): ProblemError =>
  new ProblemError('unavailable', detail, {}, { 'retry-after': RETRY_AFTER });

export interface Reader {
  /** A user, or whom an address stands for. */
  readonly by: number | string;
  readonly isAnonymous: boolean;
  /** Takes what waits out of the line. */
  readonly signal?: AbortSignal | undefined;
}

/** Runs a read whose cost grows with what is stored. */
export interface CostlyReads {
  <T>(reader: Reader, read: (db: Db) => PromiseLike<T>): Promise<T>;
  readonly state: () => QueueState;
}

/**
 * Bounds reads whose cost grows with what is stored, such as searches: they have connections of their own, of which one
 * caller has no more than half, and those who are not signed in leave one to the others; each caller is in the line once,
 * however many reads of its own wait behind that.
 */
export function costlyReads({ costly }: Pick<Database, 'costly'>, now = () => performance.now()): CostlyReads {
  const { db, size } = costly;
  const line = (running: number) => inTurn({ running: Math.max(1, running), waiting: Infinity, detail: BUSY });
  const ofAll = line(size);
  const ofAnonymous = line(size - 1);
  const ofEach = new Map<Reader['by'], { readonly takeTurn: ReturnType<typeof inTurn>; open: number }>();

  const read = async <T>({ by, isAnonymous, signal }: Reader, ask: (db: Db) => PromiseLike<T>): Promise<T> => {
    const deadline = now() + MAX_WAIT;
    const run = async () => {
      if (now() > deadline) throw unavailable(BUSY);
      try {
        return await ask(db);
      } catch (error) {
        throw tookTooLong(error) ? unavailable(TOO_LONG) : error;
      }
    };
    const running = Math.max(1, size >> 1);
    const own = ofEach.get(by) ?? { takeTurn: inTurn({ running, waiting: WAITING, detail: BUSY }), open: 0 };
    ofEach.set(by, own);
    own.open++;
    try {
      const inLine = () => ofAll(run, { by, signal });
      return await own.takeTurn(() => (isAnonymous ? ofAnonymous(inLine, { by, signal }) : inLine()), { signal });
    } finally {
      if (--own.open === 0) ofEach.delete(by);
    }
  };
  const state = (): QueueState => {
    const { running } = ofAll.state();
    const open = [...ofEach.values()].reduce((sum, own) => sum + own.open, 0);
    return { running, waiting: open - running };
  };
  return Object.assign(read, { state });
}
