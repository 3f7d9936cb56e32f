// Users, and their administration.

import { path, type Connection } from './connection.ts';
import { listed } from './database.ts';
import { isMissing } from './document.ts';

/** Whom a token speaks for. */
export interface TokenUser {
  /** For users of another issuer whatever it calls them. */
  id: string;
  email: string | null;
  /** Whether its owner proved to read mail there. */
  email_verified: boolean;
  /** When the token was made. */
  roles: string[];
  /** Who knows the user, where that is another server: ids are only different within one issuer. */
  issuer: string | null;
}

/** A user. */
export interface User<D = Record<string, unknown>> {
  id: string;
  email: string;
  email_verified: boolean;
  roles: string[];
  /** What the application keeps with the user. */
  data: D;
  created_at: string;
  updated_at: string;
  last_login_at: string | null;
  locked_until: string | null;
}

/** What a user is made of. Without a password its owner sets one by mail. */
export interface NewUser {
  email: string;
  password?: string;
  roles?: string[];
  data?: Record<string, unknown>;
  email_verified?: boolean;
}

/** What can be changed of a user. */
export interface UserChanges {
  /** All roles from now on; access tokens have them once they are refreshed. */
  roles?: string[];
  /** Merged into what there is; `null` takes a field away. */
  data?: Record<string, unknown>;
  email_verified?: boolean;
  /** `null` ends a lock. */
  locked_until?: null;
}

/** All users. For API keys and functions. */
export class Users {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** All of them. */
  list(filter: { email?: string; role?: string } = {}): Promise<User[]> {
    return listed<User>(this.#connection, '/api/auth/users', filter);
  }

  /** One; `null` where there is none. */
  async get(id: string): Promise<User | null> {
    try {
      return await this.#connection.json<User>('GET', path`/api/auth/users/${id}`);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** Makes one. */
  create(user: NewUser): Promise<User> {
    return this.#connection.json('POST', '/api/auth/users', { json: user });
  }

  /** Changes one. */
  update(id: string, changes: UserChanges): Promise<User> {
    return this.#connection.json('PATCH', path`/api/auth/users/${id}`, { json: changes });
  }

  /** Deletes one; `false` where there was none. */
  async delete(id: string): Promise<boolean> {
    try {
      await this.#connection.send('DELETE', path`/api/auth/users/${id}`);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }
}
