// From a call's frame to the handler, and from what it returned to the call's last frame.

function takeEvent(id, text) {
  const input = JSON.parse(text);
  const what = input.events === undefined ? dressed(input.event) : input.events.map(dressed);
  const call = new Call(id, input.context, false);
  calls.run(call, start, call, what);
}

function takeRequest(id, text, body) {
  const { context, request } = JSON.parse(text);
  const call = new Call(id, context, true);
  call.params = request.params ?? {};
  calls.run(call, start, call, new LightRequest(request, body, call));
}

/** Run as part of the call, so that what it returned is, too: a generator runs when it is read. */
function start(call, input) {
  try {
    const value = handler(input, new Context(call));
    if (typeof value?.then !== 'function') return settle(call, value);
    underWay.set(call.id, call);
    const promise = value instanceof Promise ? value : Promise.resolve(value);
    Promise.prototype.then.call(
      promise,
      (settled) => settle(call, settled),
      (error) => fail(call, error),
    );
  } catch (error) {
    fail(call, error);
  }
}

/** Ends a call with what its handler returned. */
function settle(call, value) {
  if (call.done) return;
  try {
    if (call.http) return respond(call, value);
    if (isResponse(value)) return void respondWhole(call, value);
    end(call, RESULT, value === undefined ? '' : toJson(value));
  } catch (error) {
    fail(call, error);
  }
}

function toJson(value) {
  const text = JSON.stringify(value);
  if (text === undefined)
    throw new TypeError(`the handler returned a ${typeof value}, which cannot be sent as JSON`);
  return text;
}

function end(call, kind, text) {
  if (call.dropped > 0 || call.partial !== null) call.endLog();
  sendText(kind, call.id, text);
  over(call);
}

function over(call) {
  call.done = true;
  if (underWay.delete(call.id) && closing) leaveWhenDone();
}

function fail(call, error) {
  if (call.done) return;
  end(call, ERROR, JSON.stringify(describe(error)));
}

function leaveWhenDone() {
  if (underWay.size > 0) return;
  stray.endLog();
  flush();
  transmit(Buffer.alloc(0), () => process.exit(0));
}
