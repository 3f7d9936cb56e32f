// What the types of the middleware allow and what they do not. It is compiled and never run.

import { auth, cors, middleware, rateLimit, validate } from '@evoke/functions';

export const handler = middleware([
  cors({ origin: ['https://a.example', /b$/], credentials: true }),
  auth({ role: ['admin', 'editor'] }),
  rateLimit({ maxRequests: 10, window: '1m', key: (request) => request.headers.get('x-key') }),
  validate({ body: { type: 'object' } }),
  async (request, context, next) => {
    const response = await next();
    response.headers.set('x-by', context.user?.id ?? '');
    return response;
  },
  (request, context) => Response.json({ id: context.params?.['id'], method: request.method }),
]);

export const service = () => auth.verifyToken('x');

// @ts-expect-error There is no such origin.
cors({ origin: 7 });
// @ts-expect-error There is no such option.
rateLimit({ max: 1 });
