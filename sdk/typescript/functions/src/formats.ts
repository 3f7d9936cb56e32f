// Formats of texts.

const matches = (pattern: RegExp) => (text: string) => pattern.test(text);

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

/** A day that there is: no 30th of February. */
function isDay(text: string): boolean {
  const [, year, month, day] = DAY.exec(text) ?? [];
  if (year === undefined) return false;
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

function isInstant(text: string): boolean {
  return /^.{10}[Tt]/.test(text) && isDay(text.slice(0, 10)) && TIME.test(text.slice(11));
}

function isHost(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => LABEL.test(label));
}

/** Looked at part by part: one expression for all of it would take its time with hostile texts. */
function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@');
  const [local, host] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || text.length > 254 || local.length > 64 || !isHost(host)) return false;
  return local.split('.').every((part) => /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+$/i.test(part));
}

function isUri(text: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:[\x21-\x7e]*$/i.test(text) || /[<>"{}|\\^`]/.test(text)) return false;
  try {
    return new URL(text) !== undefined;
  } catch {
    return false;
  }
}

const isIpv4 = matches(/^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}$/);

function isIpv6(text: string): boolean {
  if (!/^[0-9a-f:.]+$/i.test(text)) return false;
  try {
    return new URL(`http://[${text}]/`).hostname !== '';
  } catch {
    return false;
  }
}

/** The formats that are known, and who tells whether a text has them. */
export const FORMATS: Record<string, (text: string) => boolean> = {
  date: isDay,
  time: matches(TIME),
  'date-time': isInstant,
  email: isEmail,
  hostname: isHost,
  uri: isUri,
  uuid: matches(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i),
  ipv4: isIpv4,
  ipv6: isIpv6,
};
