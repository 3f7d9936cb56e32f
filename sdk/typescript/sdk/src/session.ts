// Who is signed in, kept between starts of an app.

import type { User } from './user.ts';

/** A session, as it is kept. */
export interface Session {
  user: User;
  accessToken: string;
  refreshToken: string;
  /** When the access token ends, in milliseconds of the epoch. */
  expiresAt: number;
}

/** Where a session is kept. */
export interface SessionStore {
  load(): Session | null | Promise<Session | null>;
  save(session: Session | null): void | Promise<void>;
}

/** Keeps it as long as the process lives. */
export function memoryStore(): SessionStore {
  let kept: Session | null = null;
  return { load: () => kept, save: (session) => void (kept = session) };
}

/** Keeps it in what has the form of a browser's `localStorage`. */
export function webStore(
  storage: { getItem(key: string): string | null; setItem(key: string, value: string): void; removeItem(key: string): void },
  key = 'evoke.session',
): SessionStore {
  return {
    load: () => {
      try {
        return JSON.parse(storage.getItem(key) ?? 'null');
      } catch {
        return null;
      }
    },
    save: (session) => (session === null ? storage.removeItem(key) : storage.setItem(key, JSON.stringify(session))),
  };
}
