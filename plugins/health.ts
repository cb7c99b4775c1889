import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../openapi/problem-error.js';

export interface HealthOptions {
  /** Where pictures can not be stored or shown. */
  readonly arePicturesAway?: () => boolean;
}

/** Milliseconds: whoever asks has the answer within a second. */
const PATIENCE = 900;

/** `/health/live`: the process answers. `/health/ready`: it can do its work, and is not about to stop. */
export default fp(
  function health(app: FastifyInstance, { arePicturesAway = () => false }: HealthOptions, done) {
    app.get('/health/live', () => ({ status: 'ok' }));
    app.get('/health/ready', async () => {
      const isReady =
        !app.isDraining() &&
        app.database.isMigrated() &&
        (await app.database.ping(PATIENCE).then(
          () => true,
          () => false,
        ));
      if (!isReady) {
        const detail = app.isDraining()
          ? 'The server is about to stop.'
          : 'The database can not be reached at the moment.';
        throw new ProblemError('unavailable', detail, {}, { 'retry-after': '5' });
      }
      if (arePicturesAway()) {
        const detail = 'Pictures can not be stored or shown at the moment.';
        throw new ProblemError('unavailable', detail, {}, { 'retry-after': '5' });
      }
      return { status: 'ok' };
    });
    done();
  },
  { name: 'health', dependencies: ['errors', 'database', 'drain'] },
);
