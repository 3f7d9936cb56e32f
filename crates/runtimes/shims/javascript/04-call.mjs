// A call while it lasts, and what is printed meanwhile.

/** Calls whose handler has not returned yet. */
const underWay = new Map();
let closing = false;
let handler = null;
let about = { function: '', version: 0, url: '' };

/** One call, from its frame to its last frame. Also holds what is printed meanwhile. */
class Call {
  constructor(id, raw, http) {
    this.id = id;
    this.raw = raw;
    this.http = http;
    this.params = undefined;
    this.done = false;
    this.reason = null;
    this.controller = null;
    this.source = null;
    this.window = WINDOW;
    this.wake = null;
    this.logLeft = LOG_MAX;
    this.dropped = 0;
    this.partial = null;
    this.indent = '';
  }

  get signal() {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.reason !== null) this.controller.abort(abortError(this.reason));
    }
    return this.controller.signal;
  }

  /**
   * Nobody wants the answer. A stream is closed here; a handler is told by its signal and ends
   * the call itself. What runs then is still part of the call.
   */
  cancel(reason) {
    if (this.done || this.reason !== null) return;
    calls.run(this, () => this.#stop(reason));
  }

  #stop(reason) {
    this.reason = reason;
    const error = abortError(reason);
    this.controller?.abort(error);
    if (this.source !== null) {
      closeSource(this.source, error);
      fail(this, error);
    }
    this.wake?.();
  }

  acknowledged(bytes) {
    this.window += bytes;
    this.wake?.();
  }

  /** Resolves when the window is open or the call is over. */
  opened() {
    return new Promise((resolve) => {
      this.wake = () => {
        this.wake = null;
        resolve();
      };
    });
  }

  /** Takes what was printed: a message, which may hold line breaks. */
  log(level, text) {
    if (this.done) return stray.log(level, text);
    if (this.logLeft <= 0) return void this.dropped++;
    const line =
      text.length > LINE_MAX
        ? `${text.slice(0, LINE_MAX)} … [cut after ${LINE_MAX} characters]`
        : text;
    this.logLeft -= line.length;
    sendLog(this.id, level, line);
  }

  /** Takes what was written to the standard output; a line is complete with its line break. */
  write(level, text) {
    this.partial ??= ['', '', '', ''];
    if (this.logLeft <= 0) return void this.dropped++;
    const lines = text.split('\n', 8192);
    for (let i = 0; i < lines.length - 1; i++) {
      this.log(level, this.partial[level] + lines[i]);
      this.partial[level] = '';
    }
    if (this.partial[level].length < LINE_MAX) this.partial[level] += lines.at(-1);
  }

  endLog() {
    if (this.partial !== null) {
      this.partial.forEach((rest, level) => rest !== '' && this.log(level, rest));
      this.partial = null;
    }
    if (this.dropped === 0) return;
    sendLog(
      this.id,
      WARN,
      `… ${this.dropped} more log messages were dropped: more than ${LOG_MAX >> 20} MiB was printed`,
    );
    this.dropped = 0;
  }
}

/** What is printed outside of any call: the bound counts anew each second. */
class Stray extends Call {
  #since = 0;

  log(level, text) {
    const now = performance.now();
    if (now - this.#since > 1000) {
      this.endLog();
      this.#since = now;
      this.logLeft = LOG_MAX;
    }
    super.log(level, text);
  }
}

const stray = new Stray(0, null, false);
/** The call that is under way where this is asked, or `stray`. */
function current() {
  const call = calls.getStore();
  return call === undefined || call.done ? stray : call;
}

function abortError(reason) {
  return reason === 'timeout'
    ? new DOMException('the function ran out of time', 'TimeoutError')
    : new DOMException(
        reason === 'client_gone' ? 'the client is gone' : 'the call was cancelled',
        'AbortError',
      );
}
