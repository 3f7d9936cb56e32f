// Who somebody is.

import type { Connection } from './connection.ts';
import { EvokeError } from './error.ts';
import type { Session, SessionStore } from './session.ts';
import { Users, type TokenUser, type User } from './user.ts';

/** An access token is renewed so many milliseconds before its end. */
const RENEWED_BEFORE = 30_000;

/** What the server answers to who got in. */
interface SignedIn {
  user: User;
  access_token?: string;
  refresh_token?: string;
  expires_in?: number;
}

/** Users, their sessions and their tokens. */
export class Auth {
  readonly #connection: Connection;
  readonly #store: SessionStore | null;
  #renewing: Promise<Session> | null = null;
  /** Their administration. */
  readonly users: Users;

  /** Without a store nobody is kept signed in: a function serves many at once. */
  constructor(connection: Connection, store: SessionStore | null = null) {
    this.#connection = connection;
    this.#store = store;
    this.users = new Users(connection);
  }

  /**
   * The user of an access token, given as such or as `Bearer ...`.
   *
   * @throws EvokeError with status 401 where it does not hold or there is none.
   */
  async verifyToken(header: string | null | undefined): Promise<TokenUser> {
    const token = (header ?? '').trim().replace(/^bearer(\s+|$)/i, '');
    if (token === '') throw new EvokeError('there is no token', { code: 'AU_002', status: 401 });
    const ask = { json: { token }, isRepeatable: true };
    const answer = await this.#connection.json<{ user: TokenUser }>('POST', '/api/auth/verify-token', ask);
    return answer.user;
  }

  /**
   * Makes an account with what the application keeps with it, and signs in. `null` where that waits
   * for the address to be verified.
   */
  signup(email: string, password: string, data?: Record<string, unknown>): Promise<Session | null> {
    return this.#enter('/api/auth/signup', { email, password, data });
  }

  /** Signs in. */
  async login(email: string, password: string): Promise<Session> {
    const session = await this.#enter('/api/auth/login', { email, password });
    if (session === null) throw new EvokeError('the address is not verified yet', { status: 403 });
    return session;
  }

  /** New tokens for old: of the session that is kept, or of a refresh token. */
  refresh(refreshToken?: string): Promise<Session> {
    if (refreshToken !== undefined) return this.#renew(refreshToken);
    // Each refresh token is good for once, so that two renewals at a time are one.
    this.#renewing ??= this.#renewKept().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  /** Ends the session that is kept, or that of a refresh token; with `all` every one of the user. */
  async logout(options: { refreshToken?: string; all?: boolean } = {}): Promise<void> {
    const { refreshToken, all } = options;
    const token = refreshToken ?? (await this.session())?.refreshToken;
    if (refreshToken === undefined) await this.#store?.save(null);
    if (token === undefined) return;
    try {
      await this.#leave(token, all);
    } catch (error) {
      // Over already, or renewed at this moment: then that ends with it, as nobody is signed in here.
      const isKept = refreshToken === undefined && !all;
      if (!(isKept && error instanceof EvokeError && error.status === 401)) throw error;
    }
  }

  /** The session that is kept; `null` where nobody is signed in. */
  async session(): Promise<Session | null> {
    return (await this.#store?.load()) ?? null;
  }

  /** An access token that holds, renewed where that is necessary; `null` where nobody is signed in. */
  async token(): Promise<string | null> {
    const session = await this.session();
    if (session === null) return null;
    if (session.expiresAt - RENEWED_BEFORE > Date.now()) return session.accessToken;
    return (await this.refresh()).accessToken;
  }

  /** Whoever is signed in, or has this access token. */
  async me(accessToken?: string): Promise<User> {
    return this.#connection.json('GET', '/api/auth/me', await this.#as(accessToken));
  }

  /** Changes what one may change of oneself. A new password needs the one so far. */
  async updateMe(
    changes: { data?: Record<string, unknown>; password?: string; current_password?: string },
    accessToken?: string,
  ): Promise<User> {
    return this.#connection.json('PATCH', '/api/auth/me', { ...(await this.#as(accessToken)), json: changes });
  }

  /** Sends the mail that verifies an address once more. */
  async requestEmailVerification(email: string): Promise<void> {
    await this.#connection.send('POST', '/api/auth/verify-email/request', { json: { email } });
  }

  /** Verifies an address with the token of the mail. */
  verifyEmail(token: string): Promise<User> {
    return this.#connection.json('POST', '/api/auth/verify-email', { json: { token } });
  }

  /** Sends a mail to who forgot the password; nobody is told whether there is such an account. */
  async requestPasswordReset(email: string): Promise<void> {
    await this.#connection.send('POST', '/api/auth/password-reset/request', { json: { email } });
  }

  /** Sets another password with the token of the mail. */
  async resetPassword(token: string, password: string): Promise<void> {
    await this.#connection.send('POST', '/api/auth/password-reset', { json: { token, password } });
  }

  async #enter(path: string, json: Record<string, unknown>): Promise<Session | null> {
    const session = sessionOf(await this.#connection.json<SignedIn>('POST', path, { json }));
    if (session !== null) await this.#store?.save(session);
    return session;
  }

  /**
   * The store may be that of several tabs. Whoever comes second takes what the first one got: a
   * refresh token that is shown again, ten seconds after it was used, ends the session.
   */
  async #renewKept(): Promise<Session> {
    const { refreshToken } = await this.#signedIn();
    return alone(async () => {
      const kept = await this.#signedIn();
      return kept.refreshToken === refreshToken ? this.#renewed(kept) : kept;
    });
  }

  async #renewed(kept: Session): Promise<Session> {
    try {
      const session = await this.#renew(kept.refreshToken);
      if (!(await this.#replace(kept, session))) await this.#forgotten(session);
    } catch (error) {
      const isOver = error instanceof EvokeError && (error.status === 401 || error.status === 403);
      // Where tabs cannot wait for each other, one of them comes late with the old token.
      if (!isOver || (await this.#replace(kept, null))) throw error;
    }
    return this.#signedIn();
  }

  /** Keeps another session in place of one, unless that is not what is kept any more. */
  async #replace(old: Session, session: Session | null): Promise<boolean> {
    if ((await this.session())?.refreshToken !== old.refreshToken) return false;
    await this.#store?.save(session);
    return true;
  }

  /** Whoever signed out while a session was renewed is signed out of the new one, too. */
  async #forgotten({ refreshToken }: Session): Promise<void> {
    if ((await this.session()) !== null) return;
    await this.#leave(refreshToken);
  }

  async #leave(refreshToken: string, all?: boolean): Promise<void> {
    await this.#connection.send('POST', '/api/auth/logout', { json: { refresh_token: refreshToken, all } });
  }

  async #signedIn(): Promise<Session> {
    const kept = await this.session();
    if (kept === null) throw new EvokeError('nobody is signed in', { code: 'AU_002', status: 401 });
    return kept;
  }

  async #renew(refreshToken: string): Promise<Session> {
    const ask = { json: { refresh_token: refreshToken } };
    const answer = await this.#connection.json<SignedIn>('POST', '/api/auth/refresh', ask);
    const session = sessionOf(answer);
    if (session === null) throw new EvokeError('the server gave no tokens');
    return session;
  }

  async #as(accessToken: string | undefined): Promise<{ token: string }> {
    const token = accessToken ?? (await this.token());
    if (token === null) throw new EvokeError('nobody is signed in', { code: 'AU_002', status: 401 });
    return { token };
  }
}

/** Does something while no other tab of the app does. */
async function alone<R>(work: () => Promise<R>): Promise<R> {
  const { navigator } = globalThis as { navigator?: { locks?: LockManager } };
  return navigator?.locks === undefined ? work() : await navigator.locks.request('evoke.session', work);
}

function sessionOf({ user, access_token, refresh_token, expires_in = 0 }: SignedIn): Session | null {
  if (access_token === undefined || refresh_token === undefined) return null;
  const expiresAt = Date.now() + expires_in * 1000;
  return { user, accessToken: access_token, refreshToken: refresh_token, expiresAt };
}
