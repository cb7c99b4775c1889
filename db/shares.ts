import type { Sql } from 'postgres';

/** How long work waits for a connection, in milliseconds, in both lanes together. */
const MAX_WAIT = 10_000;

/** Connections that all wait equally long for a lock. */
export interface Lane {
  readonly client: Sql;
  readonly size: number;
}

/** Thrown where all connections that a kind of work may have were busy for too long. */
export class NoConnection extends Error {
  override readonly name = 'NoConnection';
  /** PostgreSQL's own for it: too_many_connections. */
  readonly code = '53300';
}

/** Runs a query or a transaction on a connection. It may be run twice, and so does nothing but queries. */
type Work<T> = (client: Sql) => PromiseLike<T>;

interface Waiter {
  readonly enter: (lane: LaneInUse) => void;
  readonly fail: (error: Error) => void;
}

interface LaneInUse {
  readonly client: Sql;
  /** Connections that one kind of work may have at once. */
  readonly share: number;
  free: number;
}

export interface Kind {
  /** Runs work on a connection that it may have. */
  use<T>(work: Work<T>): Promise<T>;
  /** Runs work that has given up a lock on other connections. */
  persist<T>(work: Work<T>): Promise<T>;
  /** Whether work of this kind waits for a lock. */
  isHeldUp(): boolean;
}

export interface ConnectionUse {
  /** Connections, and how many of them have work, by lane. */
  readonly lanes: Readonly<Record<'brief' | 'patient', { readonly size: number; readonly busy: number }>>;
  /** Work that waits for one. */
  readonly waiting: number;
}

export interface Shares {
  use(): ConnectionUse;
  /** A kind of work, of which one waiting for a lock says that others may have to. */
  kind(): Kind;
  /** Fails all that waits. */
  close(error: Error): void;
}

/**
 * Shares connections among kinds of work, so that those that have to wait for a lock leave the others theirs: work goes
 * first to the brief lane, where it gives up a lock at once; what has given up goes on in the patient lane, and so does
 * all of its kind meanwhile. Where connections are few, the kinds that wait take turns.
 * @param gaveUp whether an error says that the lock was not to be had in time
 */
export function shareConnections(briefLane: Lane, patientLane: Lane, gaveUp: (error: unknown) => boolean): Shares {
  const laneOf = ({ client, size }: Lane, share: number): LaneInUse => ({ client, share, free: size });
  // The last of the brief connections is for another kind.
  const brief = laneOf(briefLane, Math.max(1, briefLane.size - 1));
  const patient = laneOf(patientLane, patientLane.size);
  /** Takes its turn where it can; false where nothing of it can have a connection now. */
  const waiting = new Set<{ takeTurn(): boolean; fail(error: Error): void; readonly count: number }>();

  function serveWaiting(): void {
    while (brief.free + patient.free > 0 && [...waiting].some((each) => each.takeTurn()));
  }

  function kind(): Kind {
    const waiters = new Set<Waiter>();
    let heldUp = 0;
    let inBrief = 0;
    const self = {
      takeTurn: () => {
        const [first] = waiters;
        const lane = first === undefined ? undefined : take();
        if (first === undefined || lane === undefined) return false;
        waiters.delete(first);
        // Behind the others.
        waiting.delete(self);
        if (waiters.size > 0) waiting.add(self);
        first.enter(lane);
        return true;
      },
      get count() {
        return waiters.size;
      },
      fail: (error: Error) => {
        for (const { fail } of waiters) fail(error);
        waiters.clear();
        waiting.delete(self);
      },
    };

    function take(): LaneInUse | undefined {
      const lane = heldUp === 0 && brief.free > 0 && inBrief < brief.share ? brief : patient;
      if (lane.free === 0) return undefined;
      lane.free--;
      if (lane === brief) inBrief++;
      return lane;
    }

    function leave(lane: LaneInUse): void {
      lane.free++;
      if (lane === brief) inBrief--;
      if (waiting.size > 0) serveWaiting();
    }

    const queue = (deadline: number) =>
      new Promise<LaneInUse>((resolve, reject) => {
        const giveUp = setTimeout(() => {
          waiters.delete(waiter);
          if (waiters.size === 0) waiting.delete(self);
          reject(new NoConnection('no connection was free in time'));
        }, deadline - performance.now());
        const waiter: Waiter = {
          enter: (lane) => {
            clearTimeout(giveUp);
            resolve(lane);
          },
          fail: (error) => {
            clearTimeout(giveUp);
            reject(error);
          },
        };
        waiters.add(waiter);
        waiting.add(self);
      });

    const enter = (deadline: number): LaneInUse | Promise<LaneInUse> =>
      (waiters.size === 0 ? take() : undefined) ?? queue(deadline);

    async function runOnce<T>(work: Work<T>, deadline: number): Promise<{ result: T } | undefined> {
      const lane = await enter(deadline);
      try {
        return { result: await work(lane.client) };
      } catch (error) {
        if (!gaveUp(error)) throw error;
        if (lane === brief) return undefined;
        // What waits behind it waits for the same.
        self.fail(error as Error);
        throw error;
      } finally {
        leave(lane);
      }
    }

    async function persist<T>(work: Work<T>, deadline = performance.now() + MAX_WAIT): Promise<T> {
      heldUp++;
      try {
        // Held up, it does not run in the brief lane.
        return ((await runOnce(work, deadline)) as { result: T }).result;
      } finally {
        heldUp--;
        if (waiting.size > 0) serveWaiting();
      }
    }

    return {
      use: async (work) => {
        const deadline = performance.now() + MAX_WAIT;
        const done = await runOnce(work, deadline);
        return done === undefined ? persist(work, deadline) : done.result;
      },
      persist: (work) => persist(work),
      isHeldUp: () => heldUp > 0,
    };
  }

  const useOf = ({ size }: Lane, { free }: LaneInUse) => ({ size, busy: size - free });

  return {
    kind,
    use: () => ({
      lanes: { brief: useOf(briefLane, brief), patient: useOf(patientLane, patient) },
      waiting: [...waiting].reduce((sum, { count }) => sum + count, 0),
    }),
    close: (error) => {
      for (const each of [...waiting]) each.fail(error);
    },
  };
}
