/** The repository's own client, as it is packed: the story, and what it does by itself. */
import {
  AnswerError,
  createClient as createOwn,
  isSlotTaken,
  orThrow,
  pages,
  type Outcome,
  type Tokens,
} from '../generated/hospital-management-client/node_modules/hospital-management-client/dist/index.js';
import { done, refused, type Answer, type CreateClient, type Refusal } from '../story.js';

async function answer<T>(call: Promise<Outcome<T, Refusal>>): Promise<Answer<T>> {
  const result = await call;
  return result.error === undefined ? done(result.data, result.response) : refused(result.error, result.response);
}

export const createClient: CreateClient = (baseUrl) => {
  let clinic = createOwn({ baseUrl });
  return {
    authorize: (access) => (clinic = createOwn({ baseUrl, tokens: { access, refresh: '' } })),
    register: (body) => answer(clinic.registerUser({ body })),
    logIn: (body) => answer(clinic.logIn({ body })),
    refresh: (refresh) => answer(clinic.refreshToken({ body: { refresh } })),
    logOut: (refresh) => answer(clinic.logOut({ body: { refresh } })),
    listSpecialisations: () => answer(clinic.listSpecialisations()),
    listAvailableTimes: () => answer(clinic.listAvailableTimes()),
    listDoctors: (query) => answer(clinic.listDoctors({ query })),
    createDoctor: (body) => answer(clinic.createDoctor({ body })),
    book: (body, key) => answer(clinic.createAppointment({ headers: { 'Idempotency-Key': key }, body })),
    getAppointment: (id) => answer(clinic.getAppointment({ path: { id } })),
    move: (id, { date, time }, ifMatch) =>
      answer(clinic.updateAppointment({ path: { id }, headers: { 'If-Match': ifMatch }, body: { date, time } })),
    listAppointments: (query) => answer(clinic.listAppointments({ query })),
    review: (body) => answer(clinic.createReview({ body })),
  };
};

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** What has gone over the network, in its order. */
interface Sent {
  readonly path: string;
  readonly key: string | null;
  readonly status: number;
}

const later = (retryAfter: string): Response =>
  new Response(null, { status: 503, headers: { 'Retry-After': retryAfter } });

/** What the client does by itself; gives the number of things tried. */
export async function behave(baseUrl: string): Promise<number> {
  const sent: Sent[] = [];
  /** The answers that a proxy gives in the place of those to the next requests. */
  const replaced: Response[] = [];
  /** Until when the renewal of a token is on its way. */
  let renewal: Promise<void> = Promise.resolve();
  let kept: Tokens | undefined;
  const fetchLogged = async (request: Request): Promise<Response> => {
    const { pathname: path } = new URL(request.url);
    const key = request.headers.get('Idempotency-Key');
    const response = await fetch(request);
    if (path.endsWith('/token/refresh/')) await renewal;
    const seen = replaced.shift() ?? response;
    sent.push({ path, key, status: seen.status });
    return seen;
  };
  const options = { baseUrl, fetch: fetchLogged, onTokens: (tokens: Tokens | undefined) => (kept = tokens) };
  const countOf = (end: string) => sent.filter(({ path }) => path.endsWith(end)).length;

  const password = 'plum-Tractor-91';
  const username = `own-${Date.now()}`;
  const registration = { username, email: `${username}@mail.example`, password, confirm_password: password };
  orThrow(await createOwn(options).registerUser({ body: registration }));
  const tokens: Tokens | undefined = kept;
  must(tokens !== undefined, 'registerUser: the tokens were not told');

  // A token that has expired is renewed once for calls that meet it at the same time.
  const clinic = createOwn({ ...options, tokens: { ...tokens, access: `${tokens.access}x` } });
  const profiles = await Promise.all([1, 2, 3, 4].map(() => clinic.getMyProfile()));
  for (const profile of profiles) must(orThrow(profile).data.user.username === username, 'renewal: not signed in');
  must(countOf('/token/refresh/') === 1, `renewal: ${countOf('/token/refresh/')} times`);
  must(clinic.session.tokens?.refresh === tokens.refresh, 'renewal: another refresh token');

  // A booking whose answer is lost is sent again by the same key, and made once.
  const [slot] = orThrow(await clinic.searchAvailability({ query: { limits: 1 } })).data.results;
  must(slot !== undefined, 'the demo has no free slot');
  const { doctor, date, time } = slot;
  const body = { doctor, date, time, appointment_type: 'Offline', symptoms: 'A cough' } as const;
  replaced.push(later('1'));
  const booked = await clinic.createAppointment({ body });
  const { data, etag } = orThrow(booked);
  must(booked.response.headers.get('Idempotent-Replayed') === 'true', 'retry: not replayed');
  const keys = sent.filter(({ path }) => path === '/appointments/').map(({ key }) => key);
  must(keys.length === 2 && keys[0] !== null && keys[0] === keys[1], `retry: keys ${keys.join()}`);
  must(orThrow(await clinic.listAppointments()).data.count === 1, 'retry: booked twice');

  // The tag beside the data is the one that a change is held against.
  const seen = await clinic.getAppointment({ path: { id: data.id } });
  must(etag !== null && seen.etag === etag, `ETag ${etag}, then ${seen.etag}`);

  // A new booking has a new key; the slot is taken, and the compiler knows the alternatives.
  const { error } = await clinic.createAppointment({ body });
  must(isSlotTaken(error) && error.alternatives.length > 0, `taken: ${error?.type}`);

  // Pages follow `next`.
  const ids = new Set<number>();
  for await (const { id } of pages(clinic.listDoctors, { query: { limits: 10 } })) ids.add(id);
  must(ids.size === orThrow(await clinic.listDoctors()).data.count && ids.size > 10, `pages: ${ids.size} doctors`);

  // A wait until a date is waited for; one that no timer can do is left to the caller, and so is what is no time.
  replaced.push(later(new Date(Date.now() + 1000).toUTCString()));
  orThrow(await clinic.listServices());
  const patient = createOwn({ ...options, maxWait: Infinity });
  for (const time of ['99999999999', '', 'soon', '-1', '1.5']) {
    replaced.push(later(time));
    const before = sent.length;
    await patient.listServices().catch(() => undefined);
    must(sent.length === before + 1, `Retry-After "${time}": sent ${sent.length - before} times`);
  }

  // What is no problem document is told with its answer.
  for (const body of [null, 'null', '<h1>Bad gateway</h1>', '{"message":"no"}']) {
    replaced.push(new Response(body, { status: 502 }));
    const told: unknown = await clinic.listServices().catch((error: unknown) => error);
    must(told instanceof AnswerError && told.response.status === 502, `502 ${body}: ${String(told)}`);
    must(told.message.includes(' 502'), told.message);
  }

  // Whoever signs in while a token is renewed does not send what was asked before; whoever gives up does not wait.
  const other = { username: `${username}-other`, email: `other-${username}@mail.example`, password };
  orThrow(await createOwn({ baseUrl }).registerUser({ body: { ...other, confirm_password: password } }));
  const shared = createOwn({ ...options, tokens: { ...tokens, access: `${tokens.access}x` } });
  let arrive: () => void = () => undefined;
  renewal = new Promise((resolve) => (arrive = resolve));
  const before = countOf('/me/');
  const asked = shared.getMyProfile();
  const given = new AbortController();
  const givenUp = shared.getMyProfile({ signal: given.signal }).catch((error: unknown) => error);
  while (countOf('/me/') < before + 2) await new Promise((resolve) => setImmediate(resolve));
  given.abort();
  const signedIn = shared.logIn({ body: other });
  const ending = await Promise.race([givenUp, signedIn.then(() => 'still waiting')]);
  must(ending instanceof DOMException && ending.name === 'AbortError', `given up: ${String(ending)}`);
  await signedIn;
  arrive();
  const answered = await asked;
  must(answered.response.status === 401, `as ${answered.data?.user.username}`);
  must(orThrow(await shared.getMyProfile()).data.user.username === other.username, 'the new session is lost');

  // A wait that is too long is left to the caller.
  const wrong = { username: `${username}-nobody`, password };
  for (let attempt = 1; attempt <= 10; attempt++) await clinic.logIn({ body: wrong });
  const limited = await clinic.logIn({ body: wrong });
  must(limited.error?.type === '/problems/too-many-requests', `limit: ${limited.error?.type}`);

  // A session that was ended elsewhere is not renewed, once that is known.
  orThrow(await createOwn({ ...options, tokens }).logOut({ body: { refresh: tokens.refresh } }));
  const ended = createOwn({ ...options, tokens: { ...tokens, access: `${tokens.access}x` } });
  const refusedThen = await ended.getMyProfile();
  must(refusedThen.error?.type === '/problems/not-authenticated', `ended: ${refusedThen.error?.type}`);
  must(ended.session.tokens === undefined, 'ended: the session is kept');
  return 11;
}
