/** Traces by OpenTelemetry. Only a server that sends them loads this file, and with it the libraries. */
import { FastifyOtelInstrumentation } from '@fastify/otel';
import {
  context,
  diag,
  DiagLogLevel,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type SpanContext,
} from '@opentelemetry/api';
import { ExportResultCode, W3CTraceContextPropagator, type ExportResult } from '@opentelemetry/core';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-node';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { codeOf, type QueryTrace } from '../db/client.js';
import { reasonOf } from '../db/reason.js';
import type { Config } from './config.js';

export interface Traces {
  /** A span for each request. Comes before all other plugins. */
  readonly plugin: FastifyPluginAsync;
  /** A span for each statement and transaction of a request. */
  readonly queries: QueryTrace;
  /** What a line of the log has of the request that it is about. */
  readonly ids: () => { trace_id?: string; span_id?: string };
  /** What the libraries have against variables of the environment. */
  readonly complaints: readonly string[];
  /** Sends what is left. */
  readonly close: () => Promise<void>;
}

const NAME = 'hospital-management-api';
const ID_HEADER = 'http.response.header.x-request-id';
const STATUS = 'http.response.status_code';

/**
 * All that leaves of a span besides its name and times. Of what else the libraries note, such as paths with their query
 * and the messages of errors, some is patients' data.
 */
const ATTRIBUTES = [
  ...['http.request.method', 'http.route', STATUS, ID_HEADER, 'error.type'],
  ...['db.system.name', 'db.query.text', 'db.response.status_code'],
];

/** A client's own `tracestate` stays here. */
const idsOf = ({ traceId, spanId, traceFlags, isRemote = false }: SpanContext): SpanContext => ({
  ...{ traceId, spanId, traceFlags, isRemote },
});

function withoutData(span: ReadableSpan): ReadableSpan {
  const { name, kind, startTime, endTime, duration, ended, resource, instrumentationScope, attributes } = span;
  const parent = span.parentSpanContext;
  // To the library each refusal is an error of the server's.
  const isRefusal = kind === SpanKind.SERVER && Number(attributes[STATUS]) < 500;
  return {
    ...{ name, kind, startTime, endTime, duration, ended, resource, instrumentationScope },
    spanContext: () => idsOf(span.spanContext()),
    ...(parent !== undefined && { parentSpanContext: idsOf(parent) }),
    status: { code: isRefusal ? SpanStatusCode.UNSET : span.status.code },
    attributes: Object.fromEntries(
      ATTRIBUTES.flatMap((key) => (attributes[key] === undefined ? [] : [[key, attributes[key]]])),
    ),
    ...{ links: [], events: [], droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
  };
}

interface Tell {
  readonly warn: (line: string) => void;
  readonly log: (line: string) => void;
}

/** Sends spans without data of patients', and tells once of a collector that is away. */
function guarded(exporter: SpanExporter, { host }: URL, { warn, log }: Tell): SpanExporter {
  let isAway = false;
  const note = ({ code, error }: ExportResult): void => {
    const failed = code === ExportResultCode.FAILED;
    if (failed && !isAway) warn(`traces can not be sent to ${host}, and are dropped: ${reasonOf(error)}`);
    if (!failed && isAway) log(`traces are sent to ${host} again`);
    isAway = failed;
  };
  return {
    export: (spans, done) => {
      exporter.export(spans.map(withoutData), (result) => {
        note(result);
        done({ code: ExportResultCode.SUCCESS });
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}

/** Of a statement, in characters. */
const MAX_TEXT = 1000;

/** A statement's text without literals. Its values are no part of it: they are parameters. */
const textOf = (statement: string): string =>
  statement
    .slice(0, MAX_TEXT)
    .replaceAll(/'(?:[^']|'')*('|$)/g, '?')
    .replaceAll(/(?<![\w$."])\d+(\.\d+)?\b/g, '?');

function traceQueries(): QueryTrace {
  const tracer = trace.getTracer(NAME);
  const begin = (name: string, kind: SpanKind, attributes: Attributes) => {
    const span = tracer.startSpan(name, { kind, attributes: { 'db.system.name': 'postgresql', ...attributes } });
    const end = (error?: unknown) => {
      if (error !== undefined) {
        const code = codeOf(error);
        span.setStatus({ code: SpanStatusCode.ERROR });
        span.setAttribute('error.type', code ?? 'unknown');
        if (code !== undefined) span.setAttribute('db.response.status_code', code);
      }
      span.end();
    };
    return { span, end };
  };
  // What nobody has asked for, such as the rounds that sweep, would be a trace of its own for each statement.
  const isFollowed = (): boolean => trace.getActiveSpan()?.isRecording() === true;
  return {
    statement: (text) => {
      if (!isFollowed()) return undefined;
      const name = /\w+/.exec(text)?.[0].toUpperCase() ?? 'statement';
      return begin(name, SpanKind.CLIENT, { 'db.query.text': textOf(text) }).end;
    },
    transaction: async (run) => {
      if (!isFollowed()) return run();
      const { span, end } = begin('transaction', SpanKind.INTERNAL, {});
      try {
        const result = await context.with(trace.setSpan(context.active(), span), run);
        end();
        return result;
      } catch (error) {
        end(error);
        throw error;
      }
    },
  };
}

/** What is asked for all the time, and by nobody. */
const isProbe = ({ url }: { url: string }): boolean => /^\/(health\/|metrics)/.test(url);

/** Goes on in the trace of the request: over one connection, the end of an answer comes in that of the one before. */
const resume = (request: FastifyRequest, _reply: FastifyReply, next: () => void): void => {
  const { context: of } = request.opentelemetry();
  if (of) context.with(of, next);
  else next();
};

const traceRequests = (): FastifyPluginAsync => {
  const instrumentation = new FastifyOtelInstrumentation({
    ...{ ignorePaths: isProbe, instrumentHooks: false, instrumentHandler: false, recordExceptions: false },
    requestHook: (span, { id, method, routeOptions: { url } }) => {
      span.updateName(url === undefined ? method : `${method} ${url}`);
      span.setAttribute(ID_HEADER, [id]);
    },
  });
  return fp(
    async (app) => {
      await app.register(instrumentation.plugin());
      app.addHook('onSend', (request, reply, _payload, next) => {
        const { span } = request.opentelemetry();
        if (reply.statusCode >= 500)
          span?.setAttribute('error.type', request.problem?.slug ?? String(reply.statusCode));
        next();
      });
      app.addHook('onResponse', resume);
    },
    { name: 'traces' },
  );
};

/**
 * Begins to send traces to the collector of OTEL_EXPORTER_OTLP_ENDPOINT. The libraries read the other variables that
 * OpenTelemetry has for it.
 * @param tell where it says what somebody should know
 */
export function openTraces({ endpoint, protocol }: NonNullable<Config['traces']>, version: string, tell: Tell): Traces {
  const complaints: string[] = [];
  const say = (line: string): void => void complaints.push(`traces: ${line}`);
  // Later the exporter tells what is to be told, and once.
  diag.setLogger({ error: say, warn: say, info: say, debug: say, verbose: say }, DiagLogLevel.WARN);
  const exporter = protocol === 'http/json' ? new JsonExporter() : new ProtobufExporter();
  const own = resourceFromAttributes({
    ...{ 'service.name': NAME, 'service.version': version, 'service.instance.id': crypto.randomUUID() },
  });
  const provider = new NodeTracerProvider({
    resource: defaultResource()
      .merge(own)
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(guarded(exporter, new URL(endpoint), tell))],
  });
  provider.register({ propagator: new W3CTraceContextPropagator() });
  diag.disable();
  return {
    plugin: traceRequests(),
    queries: traceQueries(),
    complaints,
    ids: () => {
      const { traceId, spanId } = trace.getActiveSpan()?.spanContext() ?? {};
      return traceId === undefined || spanId === undefined ? {} : { trace_id: traceId, span_id: spanId };
    },
    close: () => provider.shutdown(),
  };
}
