import type { Request, RequestHandler } from "express";

/** The scopes that a request needs. A plain list means all of them. */
export type ScopeQuery = ScopeTerm[] | ScopeOperator;
export type ScopeOperator = { all: ScopeTerm[] } | { any: ScopeTerm[] };
export type ScopeTerm = string | ScopeOperator;

/** Whoever holds the key of a request. */
export interface Caller {
  keyId: string;
  name: string;
  environment: "live" | "test";
  projectId: string;
  /** Null if the key is for the whole project. */
  applicationId: string | null;
  /** Your own id of the key's user. */
  externalId: string | null;
  scopes: string[];
  metadata: Record<string, unknown>;
  tags: string[];
}

export interface Options {
  /** Latchkey's address, without `/v1`. */
  url: string;
  /** A service key with the permission `keys:verify`. */
  token: string;
  /** The application that keys have to be for. */
  applicationId?: string | undefined;
  /** The scopes that keys need. */
  scopes?: ScopeQuery | ((request: Request) => ScopeQuery | undefined) | undefined;
  /** Tokens that a request takes from the key's tokens a minute and token budgets. Default: 0. */
  cost?: number | ((request: Request) => number) | undefined;
  /** The client's address, for keys with `allowed_cidrs`. Without it they are refused. */
  ip?: ((request: Request) => string | undefined) | undefined;
  /** Takes the key from the request. Default: `x-api-key`, else `Authorization: Bearer`. */
  key?: ((request: Request) => string | undefined) | undefined;
  /** How long Latchkey may take. Default: 2000. */
  timeoutMs?: number | undefined;
  /** How long a valid answer may be used again, at most 1000. Default: 0, every request is asked about. */
  cacheMs?: number | undefined;
  /** Takes lines for the operator. Default: `console.error`. */
  log?: ((line: string) => void) | undefined;
}

/** Refuses every request without a valid key. */
export function latchkey(options: Options): RequestHandler;

/** Whoever called. Throws if `latchkey()` does not stand before the handler. */
export function caller(request: Request): Caller;

declare global {
  namespace Express {
    interface Request {
      /** Set by `latchkey()`. */
      latchkey?: Caller;
    }
  }
}
