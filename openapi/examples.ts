/** What shows an example: a parameter, a body or an answer. */
export interface Shown<T = unknown> {
  readonly example?: T;
  readonly examples?: Readonly<Record<string, Example<T>>>;
}
interface Example<T> {
  readonly value?: T;
  readonly $ref?: string;
}

/** The values of the examples that something shows, those of the components too. */
export function examplesOf<T>(
  { components }: { readonly components: object },
  { example, examples = {} }: Shown<T>,
): readonly T[] {
  if (example !== undefined) return [example];
  const { examples: named = {} } = components as { readonly examples?: Readonly<Record<string, Example<T>>> };
  return Object.values(examples).map(
    (one) => (named[one.$ref?.slice('#/components/examples/'.length) ?? ''] ?? one).value as T,
  );
}
