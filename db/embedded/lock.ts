/** Which process owns the folder. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedInUse } from './in-use.js';
import { hasLiveOwner, ownName, readIfThere } from './processes.js';
import { START_SECONDS } from './server.js';

interface Claim {
  path: string;
  pid: number;
  isOwner: boolean;
  /** Known once the owner's server is ready. */
  port: number | undefined;
}

/**
 * Each contender publishes a lock file of its own and wins if it then sees no other live one: of two, at least the later
 * one sees the other. No file is ever taken from a process that may live, so a dead owner's lock needs no handover,
 * during which two could win.
 */
export async function claimPlace(
  place: string,
  dataDir: string,
): Promise<{ mine: string; owner?: never } | { mine?: never; owner: Claim }> {
  const mine = join(place, ownName('postgres.lock'));
  for (const deadline = Date.now() + START_SECONDS * 1000; ; await sleep(20)) {
    fs.writeFileSync(mine, '');
    const others = liveClaims(place).filter(({ path }) => path !== mine);
    const first = others[0];
    if (first === undefined) {
      fs.appendFileSync(mine, 'owner\n');
      return { mine };
    }
    const owner = others.find(({ isOwner }) => isOwner);
    const isLate = Date.now() > deadline;
    // Of several that came at once, the first by name stays.
    if (owner !== undefined || isLate || others.some(({ path }) => path < mine)) fs.rmSync(mine, { force: true });
    if (owner !== undefined) return { owner };
    if (isLate) throw new EmbeddedInUse(dataDir, first.pid);
  }
}

function liveClaims(place: string): Claim[] {
  const claims: Claim[] = [];
  for (const name of fs.readdirSync(place).filter((name) => name.startsWith('postgres.lock-'))) {
    const path = join(place, name);
    if (!hasLiveOwner(name)) {
      fs.rmSync(path, { force: true });
      continue;
    }
    const text = readIfThere(path);
    if (text === undefined) continue;
    const port = /\n(\d+)\n/.exec(text)?.[1];
    claims.push({ path, pid: Number(name.split('-')[1]), isOwner: text !== '', port: port ? Number(port) : undefined });
  }
  return claims;
}
