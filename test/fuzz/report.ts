import { table } from '../../bench/table.js';
import type { Fault, Report } from './fuzz.js';
import type { FuzzedOperation } from './operations.js';
import { wireOf, type Plan } from './requests.js';

/** For a shell, in which all but plain letters stand as their bytes. */
function quoted(bytes: Buffer): string {
  const text = [...bytes]
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x27 || byte === 0x5c
        ? `\\x${byte.toString(16).padStart(2, '0')}`
        : String.fromCharCode(byte),
    )
    .join('');
  return text.includes('\\x') ? `$'${text}'` : `'${text}'`;
}

/** The longest body that is shown whole, in bytes. */
const MAX_SHOWN = 3_000;

/** A request to send again by hand; the token is that of whoever asked. */
export function curlOf(plan: Plan): string {
  const { method, target, headers, body } = wireOf(plan);
  const parts = [`curl -i -X ${method} --path-as-is ${quoted(Buffer.from(`http://localhost:8000${target}`))}`];
  for (const [name, value] of Object.entries(headers)) {
    const shown =
      name === 'authorization' && plan.token !== undefined
        ? `Bearer <${plan.isTokenBad ? 'a bad token' : plan.actor.name}>`
        : value;
    parts.push(`-H ${quoted(Buffer.from(`${name}: ${shown}`, 'latin1'))}`);
  }
  if (body !== undefined) {
    parts.push(`--data-binary ${quoted(body.subarray(0, MAX_SHOWN))}`);
    if (body.length > MAX_SHOWN) parts.push(`# ${body.length} bytes in all`);
  }
  return parts.join(' \\\n  ');
}

function faultText({ what, plan, isAlone, count }: Fault, at: number): string {
  const times = count > 1 ? ` (${count} times)` : '';
  const head = plan === undefined ? '' : `request ${plan.number}, ${plan.operation.operationId}, ${plan.intent.rule}: `;
  const note = plan === undefined || isAlone ? '' : '\nIt takes what came before: run the seed again.';
  return [
    `${at + 1}. ${head}${what.slice(0, 1500)}${times}`,
    ...(plan === undefined ? [] : [curlOf(plan) + note]),
  ].join('\n');
}

/** The report as text. */
export function written(report: Report, operations: readonly FuzzedOperation[], isVerbose: boolean): string {
  const { requests, milliseconds, answers, rules, faults } = report;
  const lines: string[] = [];
  const documented = operations.flatMap(({ operationId, statuses }) =>
    statuses.filter((status) => status !== '500' && status !== '503').map((status) => ({ operationId, status })),
  );
  const missing = documented.filter(
    ({ operationId, status }) => answers.get(operationId)?.get(Number(status)) === undefined,
  );
  if (isVerbose) {
    const rows = operations.map(({ operationId }) => {
      const each = [...(answers.get(operationId) ?? [])].sort(([a], [b]) => a - b);
      return [operationId, each.map(([status, count]) => `${status}: ${count}`).join('  ')];
    });
    const times = (id: string): string => ((report.times.get(id) ?? 0) / 1000).toFixed(1);
    lines.push(...rows.map(([id = '', each = '']) => `${id.padEnd(26)}${times(id).padStart(6)} s  ${each}`), '');
    lines.push(table([...rules].sort(([, a], [, b]) => b - a).map(([rule, count]) => [rule, String(count)])), '');
    lines.push('Documented, and not met:');
    const open = new Map<string, string[]>();
    for (const { operationId, status } of missing) open.set(operationId, [...(open.get(operationId) ?? []), status]);
    lines.push(...[...open].map(([id, statuses]) => `${id.padEnd(26)}${statuses.join(' ')}`), '');
  }
  lines.push(...[...faults.values()].map((fault, at) => `${faultText(fault, at)}\n`));
  const met = documented.length - missing.length;
  lines.push(
    `${requests} requests in ${(milliseconds / 1000).toFixed(0)} s (${Math.round((requests / milliseconds) * 1000)} a second) broke ` +
      `${rules.size - 1} rules and met ${met} of ${documented.length} documented answers, but for those of faults.`,
    faults.size === 0 ? 'Nothing is wrong.' : `${faults.size} kinds of faults.`,
  );
  return lines.join('\n');
}
