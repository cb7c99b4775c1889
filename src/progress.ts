/** Milliseconds after which a step that lasts says that it does. */
const PATIENCE = 1_500;

export interface Progress {
  /** Says what is about to be done. */
  step(what: string): void;
  /** How far it has come, for the next sign of life. */
  count(total: number): void;
  end(): void;
}

/** A line for each step, also where there is no terminal, and a sign of life while one lasts. */
export function showProgress(write: (line: string) => void): Progress {
  let began = 0;
  let timer: NodeJS.Timeout | undefined;
  let counted = '';
  return {
    step: (what) => {
      clearInterval(timer);
      began = performance.now();
      counted = '';
      write(`  ${what} ...\n`);
      timer = setInterval(
        () => write(`  ... ${Math.round((performance.now() - began) / 1000)} s${counted}\n`),
        PATIENCE,
      ).unref();
    },
    count: (total) => (counted = `, ${total.toLocaleString('en')}`),
    end: () => clearInterval(timer),
  };
}
