// ccxt, a client of exchanges that nobody here wrote, against the embedded exchange: one dialect on
// one port. Each call must come back within its time with something that makes sense; one line each.
//
//   node ccxt.js binance|gateio|mexc PORT
import ccxt from "ccxt";

const [dialect, port] = process.argv.slice(2);
const http = `http://127.0.0.1:${port}`;
const ws = `ws://127.0.0.1:${port}`;
const TIME_LIMIT_MS = 20000;

const all = (urls, to) => Object.fromEntries(Object.keys(urls).map((key) => [key, to]));

// What points a client at another address than the real one.
const makers = {
  binance() {
    const client = new ccxt.pro.binance({ options: { fetchMarkets: { types: ["spot"] } } });
    client.options.fetchCurrencies = false;
    client.urls.api.public = client.urls.api.private = `${http}/api/v3`;
    client.urls.api.ws.spot = `${ws}/stream/ws`;
    return client;
  },
  gateio() {
    const client = new ccxt.pro.gate({ options: { fetchMarkets: { types: ["spot"] } } });
    client.urls.api.public = all(client.urls.api.public, `${http}/api/v4`);
    client.urls.api.private = all(client.urls.api.private, `${http}/api/v4`);
    client.urls.api.spot = `${ws}/ws/v4/`;
    return client;
  },
  mexc() {
    const client = new ccxt.pro.mexc({ options: { fetchMarkets: { types: { spot: true } } } });
    client.urls.api.spot = { public: http, private: http };
    client.urls.api.contract = { public: `${http}/api/v1/contract`, private: `${http}/api/v1/contract` };
    client.urls.api.ws.spot = `${ws}/ws`;
    return client;
  },
};

const makesSense = {
  ticker: (t) => t.symbol === "BTC/USDT" && (t.last > 0 || (t.bid > 0 && t.bid < t.ask)),
  bidsAsks: (t) => {
    const one = t.symbol ? t : t["BTC/USDT"];
    return one && one.bid > 0 && one.bid < one.ask && one.bidVolume > 0 && one.askVolume > 0;
  },
  trades: (list) =>
    list.length > 0 && list.every((t) => t.price > 0 && t.amount > 0 && /^(buy|sell)$/.test(t.side)),
  book: (b) => {
    const sorted = (side, sign) =>
      side.every((level, i) => level[1] > 0 && (i === 0 || sign * (level[0] - side[i - 1][0]) > 0));
    return b.bids.length > 10 && b.asks.length > 10 && b.bids[0][0] < b.asks[0][0] &&
      sorted(b.bids, -1) && sorted(b.asks, 1);
  },
};

// Two trades lists, three books: what comes after the first is told by another path.
async function repeated(times, call) {
  let last;
  for (let i = 0; i < times; i++) last = await call();
  return last;
}

const checks = {
  loadMarkets: async (c) => {
    const markets = await c.loadMarkets();
    return ["BTC/USDT", "ETH/USDT"].every((s) => markets[s] && markets[s].active && markets[s].precision.price > 0);
  },
  fetchTicker: async (c) => makesSense.ticker(await c.fetchTicker("BTC/USDT")),
  fetchOrderBook: async (c) => makesSense.book(await c.fetchOrderBook("BTC/USDT", 50)),
  fetchTrades: async (c) => makesSense.trades(await c.fetchTrades("BTC/USDT", undefined, 20)),
  watchTicker: async (c) => makesSense.ticker(await repeated(2, () => c.watchTicker("BTC/USDT"))),
  watchTrades: async (c) => makesSense.trades(await repeated(2, () => c.watchTrades("BTC/USDT"))),
  watchOrderBook: async (c) => makesSense.book(await repeated(20, () => c.watchOrderBook("BTC/USDT"))),
  watchBidsAsks: async (c) => makesSense.bidsAsks(await repeated(2, () => c.watchBidsAsks(["BTC/USDT"]))),
};

// Trades are asked for after some were heard; ccxt does not read MEXC's binary bids and asks.
const order = ["loadMarkets", "fetchTicker", "fetchOrderBook", "watchTicker", "watchTrades",
  "fetchTrades", "watchOrderBook", "watchBidsAsks"].filter((n) => dialect !== "mexc" || n !== "watchBidsAsks");

function within(ms, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`nothing came within ${ms} ms`)), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

const client = makers[dialect]();
client.timeout = TIME_LIMIT_MS;
await client.loadHttpProxyAgent();
let failed = 0;
for (const name of order) {
  try {
    const good = await within(TIME_LIMIT_MS, checks[name](client));
    if (!good) throw new Error("what came makes no sense");
    console.log(`ok    ${dialect} ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${dialect} ${name}: ${String(error.message).slice(0, 300)}`);
  }
}
await within(5000, client.close()).catch((error) => {
  failed++;
  console.log(`FAIL  ${dialect} close: ${error.message}`);
});
process.exit(failed === 0 ? 0 : 1);
