import { S3Client } from '@aws-sdk/client-s3';
import { S3Driver } from 'flydrive/drivers/s3';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../../db/reason.js';
import { StoreFault, type PictureStore } from './store.js';

/** A bucket of S3, or of another store that speaks as S3 does. */
export interface Bucket {
  readonly name: string;
  readonly region: string;
  /** Of another store; null: Amazon's. */
  readonly endpoint: string | null;
  /** What the keys of the files begin with. */
  readonly prefix: string;
  /** null: those that Amazon's client finds by itself, such as the role of a machine. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | null;
}

/** Milliseconds: of a try, of which there are two, with the wait for a connection; and of a call. */
const PATIENCE = { try: 3_000, call: 7_000 };

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;

/** Keeps files in a bucket, under their names with a prefix. */
export function openBucket({ name: bucket, region, endpoint, prefix, credentials }: Bucket): PictureStore {
  const client = new S3Client({
    region,
    // Few other stores have a name for each bucket.
    ...(endpoint !== null && { endpoint, forcePathStyle: true }),
    ...(credentials !== null && { credentials }),
    maxAttempts: 2,
    // What is sent is signed as a whole; other stores do not know the rest.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: PATIENCE.try,
      requestTimeout: PATIENCE.try,
      throwOnRequestTimeout: true,
      socketTimeout: PATIENCE.try,
    },
  });
  const driver = new S3Driver({ client, bucket, visibility: 'private', supportsACL: false });

  /** Runs a call on a file, within its time. */
  async function within<T>(name: string, call: (key: string) => Promise<T>): Promise<T> {
    const over = new AbortController();
    try {
      return await Promise.race([
        call(prefix + name),
        sleep(PATIENCE.call, undefined, { ref: false, signal: over.signal }).then(() => {
          throw new Error('no answer in time');
        }),
      ]);
    } catch (error) {
      const kind = statusOf(error) === undefined ? '' : `${(error as Error).name}: `;
      throw new StoreFault((kind + reasonOf(error)).replaceAll(name, '…'), { cause: error });
    } finally {
      over.abort();
    }
  }

  const write = (name: string, bytes: Buffer): Promise<void> => within(name, (key) => driver.put(key, bytes));
  const fetch = (name: string): Promise<Buffer | null> =>
    within(name, async (key) => {
      try {
        return Buffer.from(await driver.getBytes(key));
      } catch (error) {
        if ((error as Error).name === 'NoSuchKey') return null;
        throw error;
      }
    });
  const remove = (name: string): Promise<void> => within(name, (key) => driver.delete(key));

  async function check(): Promise<void> {
    const name = `check-${randomUUID()}`;
    try {
      const written = Buffer.from(name);
      await write(name, written);
      if ((await fetch(name))?.equals(written) !== true) throw new StoreFault('what was written is not there');
    } finally {
      await remove(name);
    }
  }

  return {
    title: `the bucket of pictures, ${bucket}${endpoint === null ? '' : ` at ${endpoint}`},`,
    mayHang: true,
    write,
    read: (name) =>
      fetch(name).catch(async (error: StoreFault) => {
        // Who may not list a bucket is not told that a file is absent.
        if (statusOf(error.cause) !== 403) throw error;
        await check();
        return null;
      }),
    remove,
    check,
  };
}
