/** Whether an answer is one that the contract lets the server give to a request: each rule says what is wrong in words. */
import type postgres from 'postgres';
import { problems } from '../../openapi/generated/problems.js';
import { checkAnswer, operationOf } from '../helpers/contract.js';
import { wireOf, type Plan } from './requests.js';
import type { Received } from './send.js';
import { typeOf } from './values.js';

/** Milliseconds: the server gives no statement more, and a machine may do other things too. */
const MAX_TIME = 20_000;

/** What only the log may know: where in the program, in which query, on which machine. */
const INTERNAL =
  /[^\s(]+:\d+:\d+\)|node_modules|\/dist\/|\.[jt]s:\d+|postgres|\bpg_|drizzle|\bselect\b.*\bfrom\b|\binsert into\b|violates|duplicate key|constraint|relation "|syntax error|ECONN|ENOENT|undefined|\[object |stack/i;

/**
 * What is said of fields that the schemas take. Schemas judge values by themselves: these are the rules that go by what is
 * stored, by the clock, by who asks, and by other fields. Any further message is a fault.
 */
const BEYOND_SCHEMAS: readonly RegExp[] = [
  // References are to what is there.
  /^(item \d+ )*(times |item \d+ )*(has|have) (an )?unknown ids?/,
  /^(item \d+ )*does not exist$/,
  /^is not offered by this doctor$/,
  /^takes no appointments at present$/,
  // What was given to somebody is good for a while, and in its place.
  /^is not valid: it (is wrong, )?was used or replaced, or has expired$/,
  /^has ended or does not exist; hold the slot again, or book it without$/,
  /^is for another slot$/,
  /^must be a refresh token of this server$/,
  /^must be from a link of this list in this order$/,
  /^is wrong$/,
  /^is wrong, was used before, or too many were wrong$/,
  /^is for a second factor that is not on$/,
  /^is not one of those that the server is set up with$/,
  /^is not one of this server, or has expired: begin again$/,
  /^is required of who is signed in$/,
  /^has nothing to confirm: /,
  // Days and times go by each other and by the clock.
  /^(item \d+ )*(until )?must not be before (from|starting)$/,
  /^must be after from$/,
  /^must be of the same kind as from/,
  /^must be at most (\d+ days|three years) after from$/,
  /^must be at most \d+ (days|years) ahead( \(.*\))?$/,
  /^must not be in the past( \(.*\))?$/,
  /^must be (another|a later) day: /,
  // Fields go by each other, and by the record.
  /^is required, or else a specialisation$/,
  /^must not be sent with a doctor$/,
  /^is for an appointment that is cancelled$/,
  /^can be noted once it is booked$/,
  /^is for patients without an account$/,
  /^is needed to overbook$/,
  /^is required of a (service$|patient )/,
  /^(item \d+ )*times has ids that the doctor does not offer: /,
  // A constant, which code that is generated from the contract would have no use for.
  /^must be true$/,
  // By who asks.
  /^must be somebody else$/,
  /^must be the id of a user$/,
  /^must be one of: Pendding, Runing, Complated$/,
];

/** Operations that take what somebody knows or was given, and refuse whoever has it not. */
const CREDENTIALS = new Set(['logIn', 'refreshToken', 'logOut']);

/** Fields' faults of an answer. */
function errorsOf(text: string): Record<string, string[]> {
  const { errors = {} } = JSON.parse(text) as { errors?: Record<string, string[]> };
  return errors;
}

/** Headers are named in any case. */
const names = (text: string, field: string): boolean =>
  Object.keys(errorsOf(text)).some((name) => name === field || name === field.toLowerCase());

export interface Circumstances {
  /** Whether the server has limits that the fuzz meets. */
  readonly isLimited: boolean;
}

/** What is wrong with an answer; nothing where it is right. */
export function judge(plan: Plan, received: Received, { isLimited }: Circumstances): string[] {
  const { status, headers, text, milliseconds, failure } = received;
  const { operation, intent, token, isTokenBad } = plan;
  const { method, target, headers: sent } = wireOf(plan);
  if (failure !== undefined) return [`no answer: ${failure}`];
  const faults: string[] = [];
  if (milliseconds > MAX_TIME) faults.push(`answered after more than ${MAX_TIME / 1000} s`);
  if (status >= 500) return [...faults, `answered ${status}: ${text}`];

  const isHead = method === 'HEAD';
  const asked = operationOf(isHead ? 'GET' : method, target);
  if (isHead && text !== '') faults.push('answered HEAD with a body');
  try {
    const isPrivate = sent['authorization'] !== undefined || !['GET', 'HEAD', 'OPTIONS'].includes(method);
    if (!isHead) checkAnswer(method, target, { isPrivate, status, headers, text });
  } catch (error) {
    faults.push((error as Error).message);
  }
  if (headers['x-request-id'] === undefined) faults.push('without an X-Request-Id');
  // What names no host is refused before anybody is counted, as is what is no HTTP.
  if (asked !== undefined && intent.rule !== 'odd: host') {
    for (const name of ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset']) {
      if (headers[name] === undefined) faults.push(`without ${name}`);
    }
  }
  if (String(headers['content-type']).startsWith('application/problem+json') && !isHead) {
    faults.push(...problemFaults(status, text));
  } else if (status >= 400 && !isHead && !String(headers['content-type']).startsWith('text/html')) {
    faults.push(`an error as ${String(headers['content-type'])}`);
  }
  if (status === 403 && asked === operation.operationId && !isHead) faults.push(...refusedWrongly(plan, text));
  if (status === 429) return isLimited || isGuess(plan) ? faults : [...faults, 'answered 429 within the limits'];
  // Another path than the operation's, which the contract says nothing of.
  if ((asked !== operation.operationId && !intent.rule.startsWith('path ')) || isHead) return faults;

  const { rule, statuses, field } = intent;
  if (rule.startsWith('odd')) return faults;
  if (statuses !== undefined) {
    if (!statuses.includes(status)) faults.push(`answered ${status}, where ${statuses.join(' or ')} is right`);
    else if (status === 400 && field !== undefined && !names(text, field)) {
      faults.push(`400 does not name ${field}: ${text}`);
    }
    return faults;
  }
  if (status < 300) faults.push(...notKept(plan, text));
  switch (status) {
    case 400:
      for (const [name, messages] of Object.entries(errorsOf(text))) {
        for (const message of messages.filter((each) => !BEYOND_SCHEMAS.some((known) => known.test(each)))) {
          faults.push(`refuses what the schemas take: ${name} ${message}`);
        }
      }
      if (Object.keys(errorsOf(text)).length === 0)
        faults.push('400 without errors to a request that the schemas take');
      break;
    case 401:
      if (!CREDENTIALS.has(operation.operationId))
        faults.push(`answered 401 to ${token === undefined || isTokenBad ? 'anybody' : 'a good token'}`);
      break;
    case 304:
      if (!Object.keys(sent).some((name) => name.toLowerCase() === 'if-none-match'))
        faults.push('answered 304 without If-None-Match');
      break;
    case 412:
      if (!Object.keys(sent).some((name) => /^if-(none-)?match$/i.test(name)))
        faults.push('answered 412 without a condition');
      break;
    case 413:
    case 415:
      faults.push(`answered ${status} to a request that the schemas take`);
      break;
    case 422:
      if (sent['Idempotency-Key'] === undefined) faults.push('answered 422 without an Idempotency-Key');
      break;
  }
  return faults;
}

/** What is wrong with a refusal of a service: it comes where a scope is lacking, and names it. */
function refusedWrongly({ operation: { config }, actor: { scopes }, isTokenBad }: Plan, text: string): string[] {
  if (scopes === undefined || isTokenBad) return [];
  const { serviceScope: scope } = config;
  const { detail } = JSON.parse(text) as { detail: string };
  if (scope !== null && scopes.has(scope)) return [`refuses a service what its key is for: ${detail}`];
  const reason = scope === null ? /^This is for no service key\b/ : new RegExp(`\\blacks the scope ${scope}\\.$`);
  return reason.test(detail) ? [] : [`does not tell a service what it lacks: ${detail}`];
}

/** Texts that the answer shows otherwise than they were sent. */
function notKept({ operation: { body: schema }, body }: Plan, text: string): string[] {
  if (schema === undefined || body === undefined || !('type' in body) || text === '') return [];
  const shown = JSON.parse(text) as Record<string, unknown>;
  return body.members.flatMap(([name, sent]) => {
    const property = schema.properties?.[name] ?? {};
    // Of others the contract says that they are kept in another form.
    const isPlain = typeOf(property) === 'string' && property['x-text'] === undefined && property.format === undefined;
    if (!isPlain || typeof sent !== 'string' || !Object.hasOwn(shown, name)) return [];
    const kept = sent.normalize('NFC');
    // A moment comes back in UTC, whatever the offset with which it was sent.
    const isMoment = property['x-day-or-moment'] === true && Date.parse(String(shown[name])) === Date.parse(kept);
    const isKept = shown[name] === kept || (sent === '' && shown[name] === null) || isMoment;
    return isKept ? [] : [`keeps ${name} as ${JSON.stringify(shown[name])}, not as ${JSON.stringify(kept)}`];
  });
}

/** What is wrong with the answers to a request that came twice at once, with an Idempotency-Key. */
export function judgeTwins(one: Received, other: Received): string[] {
  const answers = [one, other];
  // Another request may have had the key, or the limit been reached between them.
  if (answers.some(({ status }) => status === 422 || status === 429 || status === 401 || status === 0)) return [];
  if (answers.every(({ status }) => status >= 400)) return [];
  if (one.status !== other.status) return [`answers a request ${one.status}, and its repeat ${other.status}`];
  if (one.text !== other.text) return [`answers a repeat ${other.text}, not ${one.text}`];
  const isReplayed = answers.some(({ headers }) => headers['idempotent-replayed'] !== undefined);
  return isReplayed ? [] : ['does not tell that an answer was given before'];
}

/** Passwords are guessed ten times, whatever the limits. */
const GUESSES = new Set([
  'logIn',
  'changePassword',
  'createTotp',
  'createRecoveryCodes',
  'removeTotp',
  'removeIdentity',
]);
const isGuess = ({ operation }: Plan): boolean => GUESSES.has(operation.operationId);

function problemFaults(status: number, text: string): string[] {
  const faults: string[] = [];
  const problem = JSON.parse(text) as Record<string, unknown>;
  const {
    type,
    title,
    detail,
    errors = {},
  } = problem as { type: string; title: string; detail: string; errors?: object };
  const slug = type.replace('/problems/', '') as keyof typeof problems;
  const known = problems[slug] as { status: number; title: string } | undefined;
  if (known === undefined) faults.push(`of the type ${type}, which has no page`);
  else if (known.title !== title) faults.push(`of the type ${type} with the title ${title}`);
  if (problem['status'] !== status) faults.push(`${status} with a problem of status ${String(problem['status'])}`);
  const said = [title, detail, ...Object.values(errors).flat()].join('\n');
  if (INTERNAL.test(said)) faults.push(`shows what is internal: ${said}`);
  return faults;
}

/** What must never be stored. */
const NEVER: Readonly<Record<string, string>> = {
  'a doctor is booked twice': `
    select a.id, b.id from appointments a join appointments b on b.doctor_id = a.doctor_id and b.date = a.date and b.id > a.id
    where not (a.is_cancelled or b.is_cancelled or a.is_overbooked or b.is_overbooked)
      and a.archived_at is null and b.archived_at is null
      and coalesce(a.period && b.period, a.available_time_id = b.available_time_id)`,
  'a patient is booked twice': `
    select a.id, b.id from appointments a join appointments b on b.patient_id = a.patient_id and b.date = a.date and b.id > a.id
    where not (a.is_cancelled or b.is_cancelled) and a.archived_at is null and b.archived_at is null
      and coalesce(a.period && b.period, a.available_time_id = b.available_time_id)`,
  'an Idempotency-Key has no answer': 'select key from idempotency_keys where status is null',
  'a user has two live records': `
    select user_id from patients where archived_at is null and user_id is not null group by 1 having count(*) > 1
    union all select user_id from doctors where archived_at is null group by 1 having count(*) > 1`,
};

/** What is stored and must not be. */
export async function wrongRecords(sql: postgres.Sql): Promise<string[]> {
  const faults: string[] = [];
  for (const [what, query] of Object.entries(NEVER)) {
    const rows = await sql.unsafe(query);
    if (rows.length > 0) faults.push(`${what}: ${JSON.stringify(rows.slice(0, 3))}`);
  }
  return faults;
}
