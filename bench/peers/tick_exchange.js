// tick_exchange.js - the other end of the tick path for peers that run on Node: what
// bench/tick_exchange.h is for ours. A thread of its own accepts one WebSocket client on loopback,
// acknowledges subscriptions, and writes bookTicker frames that were built beforehand, many in one
// write, to the plain socket. Only the bid's size changes: it carries a number by which the receiver
// knows the frame again. When each timed frame was written lies in memory that both threads share.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const BASE = 1000000; // seven digits, the first never 0
const BULK = 1; // the number of every frame that is only counted
const MARKS = 1000; // numbers below it: the end of a run; from here up: timed frames
const BLOCK = 256; // frames in one write
const LIFE_MS = 18000; // no program lives longer
const MARK_AGAIN_MS = 200;
const LATE_MS = 5; // of a receiver, before it is counted in: the next run starts after it

// ---- the exchange's thread ----

function textOf(combined, number) {
  const data =
    `{"u":400900217,"s":"BTCUSDT","b":"65000.01000000","B":"${BASE + number}.00000000",` +
    `"a":"65000.02000000","A":"0.75000000"}`;
  return combined ? `{"stream":"btcusdt@bookTicker","data":${data}}` : data;
}

function frameOf(text) {
  const body = Buffer.from(text);
  const head =
    body.length < 126
      ? Buffer.from([0x81, body.length])
      : Buffer.from([0x81, 126, body.length >> 8, body.length & 0xff]);
  return Buffer.concat([head, body]);
}

// A client's frames are short here: at most 16 bits of length.
function* readFrames(bytes) {
  for (let at = 0; at + 6 <= bytes.length; ) {
    let size = bytes[at + 1] & 0x7f;
    let head = 2;
    if (size === 126) {
      size = bytes.readUInt16BE(at + 2);
      head = 4;
    }
    const mask = bytes.subarray(at + head, at + head + 4);
    const body = Buffer.from(bytes.subarray(at + head + 4, at + head + 4 + size));
    for (let i = 0; i < body.length; i++) body[i] ^= mask[i % 4];
    yield { opcode: bytes[at] & 0x0f, text: body.toString() };
    at += head + 4 + size;
  }
}

function answer(socket, bytes) {
  for (const { opcode, text } of readFrames(bytes)) {
    if (opcode === 1) {
      const { id } = JSON.parse(text);
      socket.write(frameOf(JSON.stringify({ result: null, id })));
      parentPort.postMessage("subscribed");
    }
    if (opcode === 8) socket.end(Buffer.from([0x88, 2, 3, 0xe8]));
  }
}

async function blast(socket, combined, frames) {
  const block = Buffer.concat(Array(BLOCK).fill(frameOf(textOf(combined, BULK))));
  for (let sent = 0; sent < frames; sent += BLOCK) {
    if (!socket.write(block)) await once(socket, "drain");
  }
}

// A frame each 1 / rate s, whatever the receiver does. The event loop stands still meanwhile: a
// write goes to the socket at once.
function pace(socket, combined, frames, rate, sent) {
  const idle = new Int32Array(new SharedArrayBuffer(4));
  const period = BigInt(Math.round(1e9 / rate));
  const built = Array.from({ length: frames }, (_, i) => frameOf(textOf(combined, MARKS + i)));
  const began = process.hrtime.bigint();
  for (let i = 0; i < frames; i++) {
    const left = Number(began + BigInt(i) * period - process.hrtime.bigint());
    if (left > 0) Atomics.wait(idle, 0, 0, left / 1e6);
    sent[i] = process.hrtime.bigint();
    socket.write(built[i]);
  }
}

function runExchange({ combined, sent }) {
  const server = createServer().listen(0, "127.0.0.1", () => {
    parentPort.postMessage(server.address().port);
  });
  server.on("upgrade", (request, socket) => {
    const key = request.headers["sec-websocket-key"];
    const accepted = createHash("sha1").update(key + GUID).digest("base64");
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => answer(socket, bytes));
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accepted}\r\n\r\n`,
    );
    parentPort.on("message", async ({ frames, rate, mark }) => {
      if (mark) socket.write(frameOf(textOf(combined, mark)));
      else if (rate) pace(socket, combined, frames, rate, new BigInt64Array(sent));
      else await blast(socket, combined, frames);
      if (!mark) parentPort.postMessage("sent");
    });
  });
}

// ---- the receiver's side ----

function readParams() {
  const params = { frames: 204800, paced: 4000, rate: 10000 };
  for (const argument of process.argv.slice(2)) {
    const [key, value] = argument.split("=");
    if (!(key in params) || !/^[1-9][0-9]*$/.test(value ?? "")) {
      console.error(`${argument}: no such parameter here, or not a number`);
      process.exit(2);
    }
    params[key] = Number(value);
  }
  params.frames -= params.frames % BLOCK;
  return params;
}

const say = (metric, unit, value) => console.log(JSON.stringify({ metric, unit, value }));

// Asks the whole question. `connect(port, take)` connects a client that calls take(size) with each
// bid's size that its user gets to see, and has subscribed when its promise is resolved.
export async function measure({ combined, connect }) {
  const { frames, paced, rate } = readParams();
  const sent = new SharedArrayBuffer(8 * paced);
  const exchange = new Worker(new URL(import.meta.url), { workerData: { combined, sent } });
  const life = setTimeout(() => {
    console.error("the run took too long and was given up");
    process.exit(1);
  }, LIFE_MS);
  const [port] = await once(exchange, "message");

  let seen = 0;
  let last = 0;
  let marked = () => {};
  const sentNs = new BigInt64Array(sent);
  const latencies = [];
  const take = (size) => {
    const number = Math.round(Number(size)) - BASE;
    if (number === BULK) seen++;
    else if (number < MARKS) last = number, marked(number);
    else latencies.push(Number(process.hrtime.bigint() - sentNs[number - MARKS]) / 1e3);
  };
  const subscribed = once(exchange, "message");
  await connect(port, take);
  await subscribed;

  let mark = BULK;
  // Everything before the mark has been handled when it is: the stream has an order.
  const run = async (order) => {
    const number = ++mark;
    const came = new Promise((resolve) => (marked = (n) => n === number && resolve()));
    const began = process.hrtime.bigint();
    exchange.postMessage(order);
    await once(exchange, "message");
    exchange.postMessage({ mark: number });
    const again = setInterval(() => exchange.postMessage({ mark: number }), MARK_AGAIN_MS);
    await came;
    const took = Number(process.hrtime.bigint() - began);
    clearInterval(again);
    await new Promise((resolve) => setTimeout(resolve, LATE_MS));
    return took;
  };
  const warm = Math.ceil(frames / 10 / BLOCK) * BLOCK;
  await run({ frames: warm });
  seen = 0;
  const took = await run({ frames });
  say("frames", "frames/s", (frames * 1e9) / took);
  say("arrived", "%", (100 * seen) / frames);
  await run({ frames: paced, rate });
  latencies.sort((a, b) => a - b);
  const quantile = (q) => latencies[Math.floor((latencies.length - 1) * q)];
  say("p50", "us", quantile(0.5));
  say("p99", "us", quantile(0.99));
  clearTimeout(life);
  process.exit(last === mark ? 0 : 1);
}

if (!isMainThread) runExchange(workerData);
