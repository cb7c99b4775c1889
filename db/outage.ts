import { reasonOf } from './reason.js';

/** Milliseconds between two questions whether it is back. */
const INTERVAL = 500;

export interface OutageOptions {
  /** What goes away, as the log names it. */
  readonly of: string;
  /** Resolves when it does its work again. */
  readonly isBack: () => Promise<unknown>;
  readonly warn: (line: string) => void;
  readonly log: (line: string) => void;
}

/** The times in which something that the program stands on does not do its work: one line of the log when one begins and ends. */
export class Outage {
  readonly #options: OutageOptions;
  #isOn = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Begins one, which ends as soon as `isBack`. */
  begin(error: unknown): void {
    if (this.#isOn || this.#isClosed) return;
    this.#isOn = true;
    this.#options.warn(`${this.#options.of} is away: ${reasonOf(error)}`);
    this.#askLater();
  }

  end(): void {
    if (!this.#isOn || this.#isClosed) return;
    this.#isOn = false;
    clearTimeout(this.#timer);
    this.#options.log(`${this.#options.of} is back`);
  }

  /** From now on nothing is asked or said. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #askLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#options.isBack().then(
        () => this.end(),
        () => {
          if (this.#isOn && !this.#isClosed) this.#askLater();
        },
      );
    }, INTERVAL).unref();
  }
}
