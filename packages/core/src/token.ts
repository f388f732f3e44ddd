import type { InjectionToken } from 'tsyringe'

/** An injection token that knows the type of what it stands for. Made by {@link createToken}. */
export type Token<T> = symbol & InjectionToken<T> & { readonly __type?: T }

/**
 * Makes a token. The name is global: two installed copies of a package make the same token.
 *
 * @example createToken<Clock>('@acme/clock')
 */
export function createToken<T> (name: string): Token<T> {
  return Symbol.for(name)
}
