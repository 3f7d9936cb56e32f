// Everything in one hand.

import { Auth } from './auth.ts';
import { currentCall, type Call } from './call.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { Database } from './database.ts';
import { Events } from './events.ts';
import { Functions } from './functions.ts';
import { requestOf, retryingFetch, type FetchOptions, type Input } from './retry.ts';
import { memoryStore, type SessionStore } from './session.ts';
import { Storage } from './storage.ts';

/** How a client is made. */
export interface ClientOptions extends ConnectionOptions {
  /** Where it is kept who is signed in; else as long as the process lives. */
  session?: SessionStore;
}

/** The services of one server. */
export interface Services {
  db: Database;
  storage: Storage;
  auth: Auth;
  events: Events;
  functions: Functions;
}

/** The services of one server, for whoever signs in. */
export interface Client extends Services {
  /** `fetch` of a path of the server, as whoever is signed in: for routes of functions. */
  fetch(path: string, options?: FetchOptions): Promise<Response>;
}

/** A client of a server, for apps and scripts. Functions import what they need instead. */
export function createClient(options: ClientOptions = {}): Client {
  const connection = new Connection(options);
  const auth = new Auth(connection, options.session ?? memoryStore());
  return {
    ...servicesOn(connection, auth),
    fetch: async (path, init = {}) => {
      const url = connection.address(path);
      const headers = new Headers(init.headers);
      const token = await auth.token();
      if (token !== null && !headers.has('authorization')) headers.set('authorization', `Bearer ${token}`);
      const own = options.fetch === undefined ? {} : { fetch: options.fetch };
      return fetchIn(connection.caller(), url, { ...options.retry, ...own, ...init, headers });
    },
  };
}

/** The services in the name of one call, wherever they are used: `context.evoke` of its handler. */
export function servicesOf(call: Call): Services {
  const connection = new Connection({}, () => call);
  return servicesOn(connection, new Auth(connection));
}

function servicesOn(connection: Connection, auth: Auth): Services {
  return {
    db: new Database(connection),
    storage: new Storage(connection),
    auth,
    events: new Events(connection),
    functions: new Functions(connection),
  };
}

/** A request that belongs to the trace of a call; no try of it begins after the call's deadline. */
function fetchIn({ traceparent, deadlineMs }: Call, input: Input, options: FetchOptions): Promise<Response> {
  const headers = new Headers(options.headers ?? requestOf(input)?.headers);
  if (traceparent !== undefined && !headers.has('traceparent')) headers.set('traceparent', traceparent);
  return retryingFetch(input, { ...options, headers }, deadlineMs);
}

const ambient = new Connection();

/** The database of the server this function runs in, or that the environment names. */
export const db: Database = new Database(ambient);
/** Its buckets. */
export const storage: Storage = new Storage(ambient);
/** Its users. */
export const auth: Auth = new Auth(ambient);
/** Its events. */
export const events: Events = new Events(ambient);
/** Its functions. */
export const functions: Functions = new Functions(ambient);
/** Requests to anywhere, as part of the call under way. */
export const http = {
  fetch: (input: Input, options: FetchOptions = {}): Promise<Response> => fetchIn(currentCall(), input, options),
};
