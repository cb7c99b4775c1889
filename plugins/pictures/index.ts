import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { Outage } from '../../db/outage.js';
import { operations } from '../../openapi/generated/operations.js';
import { ProblemError } from '../../openapi/problem-error.js';
import { loggable } from '../errors.js';
import { findEncoder } from './encoder.js';
import { notePlace } from './noted-place.js';
import { openStore, type PicturePlace } from './place.js';
import { answering, type StoreAction } from './store.js';
import { pictureUploads, type Uploads } from './uploads.js';
import { pictureUrls, type PictureUrls } from './urls.js';

export interface PicturesOptions {
  readonly place: PicturePlace;
  /** Of the URLs of pictures that are not public: the first signs, and all verify. */
  readonly secrets: readonly string[];
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly pictures: PictureUrls;
    readonly uploads: Uploads;
    /** The bytes of a stored picture; null if there is no such file. */
    readPicture(name: string): Promise<Buffer | null>;
    /** Whether the last attempts to store or read one have failed. */
    arePicturesAway(): boolean;
    /** How many attempts have failed, by what was to be done. */
    readonly pictureFaults: ReadonlyMap<StoreAction, number>;
  }
}

const HOUR = 3_600_000;
const NAME = /^[ps]-[\w-]{22}\.(jpeg|png|webp|gif)$/;

/** Keeps uploaded pictures, serves them, and removes those that no row has any more. */
export default fp(
  async function pictures(app: FastifyInstance, { place, secrets, now = Date.now }: PicturesOptions) {
    await findEncoder();
    const bare = await openStore(place);
    const outage = new Outage({
      of: bare.title,
      isBack: () => bare.check(),
      warn: (line) => app.log.warn(line),
      log: (line) => app.log.info(line),
    });
    const faults = new Map<StoreAction, number>(
      ['write', 'read', 'remove'].map((action) => [action as StoreAction, 0]),
    );
    const store = answering(bare, {
      isAway: () => outage.isOn,
      onFault: (fault, action) => {
        faults.set(action, (faults.get(action) ?? 0) + 1);
        outage.begin(fault);
      },
    });
    const uploads = pictureUploads(app.db, store);
    const urls = pictureUrls(secrets, now);
    app.decorate('pictures', urls);
    app.decorate('uploads', uploads);
    app.decorate('readPicture', (name: string) => store.read(name));
    app.decorate('arePicturesAway', () => outage.isOn);
    app.decorate('pictureFaults', faults);

    let timer: NodeJS.Timeout | undefined;
    let round = Promise.resolve();
    let noting = Promise.resolve();
    let isClosing = false;
    const startRound = (): void => {
      round = round
        .then(() => uploads.removeAllDue(() => isClosing))
        .catch((error: unknown) =>
          app.log.warn({ error: loggable(error) }, 'pictures stay until the next hourly removal'),
        );
    };
    app.addHook('onReady', (done) => {
      // The database may be away at the start. If it can't be migrated, the process ends elsewhere.
      app.database.migrated.then(startRound, () => undefined);
      if (bare.mayHang) bare.check().catch((error: unknown) => outage.begin(error));
      timer = setInterval(() => app.database.isMigrated() && startRound(), HOUR).unref();
      done();
    });
    const note = async (): Promise<void> => {
      try {
        if (await notePlace(app.db, store)) return;
        app.log.warn(
          'the instance that started on this database before keeps pictures elsewhere: each does not find those of the ' +
            'other. All need the same S3_BUCKET and S3_PREFIX, or one shared folder as DATA_DIR; what was stored ' +
            'elsewhere has to be copied there',
        );
      } catch (error) {
        app.log.warn({ error: loggable(error) }, 'whether all instances keep pictures in one place is not known');
      }
    };
    app.addHook('onListen', (next) => {
      app.database.migrated.then(
        () => {
          if (!isClosing) noting = note();
        },
        () => undefined,
      );
      next();
    });
    app.addHook('onClose', async () => {
      isClosing = true;
      outage.close();
      clearInterval(timer);
      await Promise.all([round, noting]);
    });

    app.operate(operations.getPicture, async (request, reply) => {
      const { name } = request.params as { name: string };
      const format = NAME.exec(name)?.[1];
      const caching = format && urls.cacheControl(name, request.query as { expires?: number; signature?: string });
      const bytes = caching ? await store.read(name) : null;
      if (!caching || bytes === null) throw new ProblemError('not-found', 'There is no such picture.');
      reply.headers({
        etag: `"${name}"`,
        'cache-control': caching,
        'x-content-type-options': 'nosniff',
        'content-disposition': 'inline',
        'cross-origin-resource-policy': 'cross-origin',
      });
      return reply.type(`image/${format}`).send(bytes);
    });
  },
  { name: 'pictures', dependencies: ['errors', 'multipart', 'database'] },
);
