/** The folding of the migrations, over all characters that this Node knows. */
import postgres from 'postgres';
import t from 'tap';
import { createTestDatabase } from '../helpers/database.js';

const CHARACTERS = Array.from({ length: 0x110000 }, (_, code) => code)
  .filter((code) => code > 0 && (code < 0xd800 || code > 0xdfff))
  .map((code) => String.fromCodePoint(code));

t.test('folded', async (t) => {
  const sql = postgres(await createTestDatabase(t), { max: 1 });
  t.teardown(() => sql.end());

  /** The pairs whose halves differ when they are folded. */
  const differing = async (pairs: readonly (readonly [string, string])[]): Promise<unknown[]> => {
    const rows = await sql<{ one: string; other: string }[]>`
      select pair->>0 as one, pair->>1 as other from json_array_elements(${JSON.stringify(pairs)}::text::json) as pair
      where folded(pair->>0) <> folded(pair->>1)`;
    return [...rows];
  };
  const fold = async (text: string): Promise<string> => {
    const [row] = await sql<{ text: string }[]>`select folded(${text}) as text`;
    return row?.text ?? '';
  };

  await t.test('makes one of upper and lower case, of whatever script', async (t) => {
    const cased = CHARACTERS.filter((one) => one.toUpperCase() !== one || one.toLowerCase() !== one);
    t.ok(cased.length > 2500);
    t.strictSame(await differing(cased.map((one) => [one, one.toUpperCase()])), []);
    t.strictSame(await differing(cased.map((one) => [one, one.toLowerCase()])), []);
  });

  await t.test('makes one of NFC, NFD and NFKC', async (t) => {
    // Beyond them each version of Unicode brings more, which an older PostgreSQL does not know.
    const composed = CHARACTERS.filter((one) => one.normalize('NFD') !== one && one.length === 1);
    t.ok(composed.length > 12_000);
    t.strictSame(await differing(composed.map((one) => [one, one.normalize('NFD')])), []);
    t.strictSame(await differing(composed.map((one) => [one, one.normalize('NFC')])), []);
    t.strictSame(await differing([...'ＡＢｃ０１ﬁ㎏ｶﾞ'].map((one) => [one, one.normalize('NFKC')])), []);
  });

  await t.test('leaves out what can not be seen', async (t) => {
    const unseen = CHARACTERS.filter((one) => /[\p{Cf}\p{Variation_Selector}]/u.test(one));
    t.ok(unseen.length > 400);
    t.strictSame(await differing(unseen.map((one) => [`a${one}b`, 'ab'])), []);
  });

  await t.test('makes one of all hyphens and of all apostrophes', async (t) => {
    const hyphens = [...'-‐‑‒–—―−﹣－˗⁃֊־'];
    t.strictSame(await differing(hyphens.map((one) => [`Anne${one}Marie`, 'Anne-Marie'])), []);
    const apostrophes = [..."'’‘‛ʼʻʹ′´`＇՚׳"];
    t.strictSame(await differing(apostrophes.map((one) => [`O${one}Brien`, "O'Brien"])), []);
  });

  for (const [text, expected] of [
    ['Béla ÅSA Đặng Łódź Øre', 'bela asa dang lodz ore'],
    ['IŞIK ışık İ', 'isik isik i'],
    ['Straße STRAẞE Æsir Œuvre Þór', 'strasse strasse aesir oeuvre thor'],
    ['ΣΊΣΥΦΟΣ σίσυφος', 'σισυφοσ σισυφοσ'],
    ['Алёна ЇЖАК', 'алена іжак'],
    ['مُحَمَّد أحمد', 'محمد احمد'],
    ['שָׁלוֹם', 'שלום'],
    ['가 각', '가 각'],
    ['か が', 'か が'],
    ['कि की क', 'कि की क'],
  ] as const) {
    await t.test(`${text} to ${expected}`, async (t) => {
      t.equal(await fold(text), expected);
      t.equal(await fold(expected), expected, 'which stays as it is');
    });
  }
});
