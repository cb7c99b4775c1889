import type { Static, TSchema } from '@sinclair/typebox';
import type { FastifyPluginCallback, FastifyTypeProvider, RawServerDefault } from 'fastify';
import type { JsonText } from '../../db/json.js';
import type { Config } from '../config.js';

/** Types a route by its schemas; an answer may also be JSON of that type that PostgreSQL has built. */
export interface ContractTypes extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
  serializer: this['schema'] extends TSchema ? Static<this['schema']> | JsonText<Static<this['schema']>> : unknown;
}

export interface ResourceOptions {
  readonly config: Config;
  /** The time, as it is to be taken. */
  readonly now: () => Date;
}

/** An encapsulated plugin with the routes of one resource. */
export type Resource = FastifyPluginCallback<ResourceOptions, RawServerDefault, ContractTypes>;
