/** Some fields of a body, each of which may be left out. */
export type Given<Fields> = { readonly [Name in keyof Fields]?: Fields[Name] | undefined };

/**
 * Says that a body has no field but those that were taken out of it. A field of the contract that was forgotten is in
 * the rest, and does not compile.
 */
export function nothingElse(_rest: Readonly<Record<string, never>>): void {
  // The compiler has judged.
}
