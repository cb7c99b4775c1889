/** Two instances under load, whose Redis goes and comes back; `npm run test:faults`. */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { makeDatabase, startCluster } from '../helpers/cluster.js';
import { openHospital } from '../helpers/hospital.js';
import { close, judge } from '../helpers/judge.js';
import { makeRedis } from '../helpers/redis.js';
import { beginTraffic } from '../helpers/traffic.js';

t.test('Redis', async (t) => {
  const redis = await makeRedis(t);
  await redis.start();
  const hospital = await openHospital(t, await makeDatabase(await startCluster(t)), { REDIS_URL: redis.url });
  /** How often each instance has said so. */
  const said = (words: string): number[] =>
    hospital.servers.map(({ log }) => log.filter((line) => line.includes(words)).length);
  const traffic = await beginTraffic(t, hospital);
  let round = 0;
  for (const [title, go, come] of [
    ['is killed', redis.kill, redis.start],
    ['stands still', redis.pause, redis.resume],
    ['is killed again', redis.kill, redis.start],
  ] as const) {
    await t.test(`${title}, and comes back`, async (t) => {
      round++;
      await traffic.untilMore(30);
      await go();
      await traffic.untilMore(30);
      while (said('Redis is away').some((count) => count < round)) await sleep(20);
      await come();
      while (said('Redis is back').some((count) => count < round)) await sleep(20);
      t.strictSame(said('Redis is away'), [round, round], 'one line of each instance');
      await traffic.untilMore(30);
    });
  }
  await traffic.stop();
  t.strictSame(
    traffic.seen.filter(({ status }) => status === 0 || status >= 500),
    [],
    `none of ${traffic.seen.length} requests failed`,
  );
  await judge(t, hospital, traffic);
  await close(t, hospital);
});
