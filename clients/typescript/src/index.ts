export { createClient, type Client, type ClientOptions } from './client.js';
export { AnswerError, isSlotTaken, orThrow, ProblemError, type Outcome } from './outcome.js';
export { pages } from './pages.js';
export type { Tokens } from './session.js';
export type * from './generated/types.gen.js';
