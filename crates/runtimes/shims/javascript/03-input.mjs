// What comes from the server: frames are cut out of what the socket gave.

let waiting = [];
let waitingBytes = 0;
let wanted = 0;

/** Takes what the socket gave; frames that are not complete wait, uncopied, for the rest. */
function receive(chunk) {
  let data = chunk;
  if (waitingBytes > 0) {
    waiting.push(chunk);
    waitingBytes += chunk.length;
    if (waitingBytes < wanted) return;
    data = Buffer.concat(waiting, waitingBytes);
    waiting = [];
    waitingBytes = 0;
  }
  let at = 0;
  const end = data.length;
  while (end - at >= FRAME_HEAD) {
    const next = at + 4 + data.readUInt32LE(at);
    if (next > end) break;
    take(data[at + 4], data.readUInt32LE(at + 5), data, at + FRAME_HEAD, next);
    at = next;
  }
  if (at < end) {
    wanted = end - at < 4 ? FRAME_HEAD : 4 + data.readUInt32LE(at);
    if (wanted - 4 > FRAME_MAX) fatal(`a frame of ${wanted - 4} bytes is longer than allowed`);
    waiting = [at === 0 ? data : data.subarray(at)];
    waitingBytes = end - at;
  }
}

function take(kind, id, data, from, to) {
  switch (kind) {
    case EVENT:
      return takeEvent(id, data.utf8Slice(from, to));
    case REQUEST: {
      const body = from + 4 + data.readUInt32LE(from);
      return takeRequest(id, data.utf8Slice(from + 4, body), data.subarray(body, to));
    }
    case ACK:
      return underWay.get(id)?.acknowledged(data.readUInt32LE(from));
    case CANCEL:
      return underWay.get(id)?.cancel(JSON.parse(data.utf8Slice(from, to)).reason);
    case LOAD:
      return void load(JSON.parse(data.utf8Slice(from, to)));
    case SHUTDOWN:
      closing = true;
      return leaveWhenDone();
    default:
      fatal(`a frame of unknown kind ${kind}`);
  }
}

function fatal(message) {
  stray.log(FAULT, `evoke: ${message}`);
  flush();
  process.exit(1);
}
