// Users, and their administration.

import { path, type Connection } from './connection.ts';
import { listed } from './database.ts';
import { isMissing } from './document.ts';

/** A user. */
export interface User {
  id: string;
  email: string;
  roles: string[];
  email_verified?: boolean;
  created_at?: string;
  [field: string]: unknown;
}

/** All users. For API keys and functions. */
export class Users {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** All of them. */
  list(query: Record<string, string | number | undefined> = {}): Promise<User[]> {
    return listed<User>(this.#connection, '/api/auth/users', query);
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

  /** Changes one: its roles, among others. */
  update(id: string, changes: Record<string, unknown>): Promise<User> {
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
