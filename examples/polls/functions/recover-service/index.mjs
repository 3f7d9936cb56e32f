import { rmSync } from 'node:fs';

/** Brings the service up again. */
export function handler(event) {
  rmSync(new URL('../../data/service-is-down', import.meta.url), { force: true });
  console.log(`${event.data.service} is restarted`);
  return { restarted: event.data.service };
}
