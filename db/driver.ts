/** The one door to the driver: it refuses to run without the changes of patches/, which transactions stand on. */
import postgres from 'postgres';

/** What the patch calls itself: a digest of its contents, to which a test holds it. */
const PATCH = '7c1e63e5b086';

if ((postgres as { patch?: string }).patch !== PATCH) {
  process.stderr.write(
    'node_modules/postgres lacks the changes of patches/: run `npm ci`, and `npx patch-package` after it where install scripts are off\n',
  );
  process.exit(1);
}

export { default } from 'postgres';
