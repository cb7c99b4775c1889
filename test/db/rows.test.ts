import t from 'tap';
import { one, oneOrNone } from '../../db/rows.js';

/** As an array is that was written to from its second place on. */
const hole: object[] = [];
hole[1] = { x: 1 };

t.test('one is the only row, and nothing else will do', async (t) => {
  t.strictSame(one([{ x: 1 }]), { x: 1 });
  t.throws(() => one([]), /no row/);
  t.throws(() => one([{ x: 1 }, { x: 2 }]), /2 rows/);
  t.throws(() => one(hole), /2 rows/);
});

t.test('oneOrNone is the only row, or nothing where there are no rows at all', async (t) => {
  t.strictSame(oneOrNone([{ x: 1 }]), { x: 1 });
  t.equal(oneOrNone([]), undefined);
  t.throws(() => oneOrNone([{ x: 1 }, { x: 2 }]), /2 rows/);
  t.throws(() => oneOrNone(hole), /2 rows/);
  t.throws(() => oneOrNone(new Array<object>(1)), /1 rows/);
});
