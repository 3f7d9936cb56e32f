// Who calls.

import { auth as service, EvokeError } from '@evoke/sdk';
import { refusal, type Middleware } from './middleware.ts';

/** Who may come in. */
export interface AuthOptions {
  /** Whether somebody has to be signed in; true. Else `context.user` is null for strangers. */
  required?: boolean;
  /** One of these roles is needed. */
  role?: string | readonly string[];
  /** Who somebody with a token is, in place of the server's users; throws or gives nothing for nobody. */
  verify?: (token: string) => Judgement | Promise<Judgement>;
}

/** Who calls: in `context.user`. */
export type Caller = { id: string; email?: string | null; roles?: string[] };

type Judgement = Caller | null | undefined;

const CHALLENGE = { 'www-authenticate': 'Bearer' };

/** Lets in who has a token, and says in `context.user` who that is. */
function step(options: AuthOptions = {}): Middleware {
  const { required = true, role, verify = (token: string) => service.verifyToken(token) } = options;
  const roles = role === undefined ? [] : typeof role === 'string' ? [role] : [...role];
  return async (request, context, next) => {
    // The trigger may have asked for it already.
    let user: Caller | null = context.user || null;
    const header = request.headers.get('authorization');
    if (user === null && header !== null) {
      try {
        // Whatever else is given for nobody: what is in no map is undefined, what failed false.
        user = (await verify(header.replace(/^bearer\s+/i, '').trim())) || null;
      } catch (error) {
        if (!isRefused(error)) throw error;
        // A wrong token is a mistake even where none is needed.
        return refusal(401, 'AU_002', (error as Error).message, { headers: CHALLENGE });
      }
    }
    if (user === null && (required || roles.length > 0))
      return refusal(401, 'AU_002', 'a token is needed: send Authorization: Bearer ...', { headers: CHALLENGE });
    if (roles.length > 0 && !roles.some((role) => user?.roles?.includes(role)))
      return refusal(403, 'AU_007', `the role ${roles.join(' or ')} is needed`);
    Object.defineProperty(context, 'user', { value: user, configurable: true, enumerable: true });
    return next();
  };
}

/** Whether the token was refused. That nobody could be asked is another matter. */
function isRefused(error: unknown): boolean {
  return !(error instanceof EvokeError) || error.status === 401 || error.status === 403;
}

/** Lets in who has a token; it also is the service itself: `auth.verifyToken(header)`. */
export const auth: typeof step & typeof service = new Proxy(step, {
  get: (target, key) => {
    const value = Reflect.get(service, key, service);
    if (value === undefined) return Reflect.get(target, key);
    return typeof value === 'function' ? value.bind(service) : value;
  },
}) as typeof step & typeof service;
