import { rmSync } from 'node:fs';

/** Brings the service up again. */
export function handler(event) {
  rmSync('../../data/service-is-down', { force: true });
  console.log(`${event.data.service} is restarted`);
  return { restarted: event.data.service };
}
