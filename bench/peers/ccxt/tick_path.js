// ccxt (its Pro part): best bids and offers as its users watch them. Every frame is handled in
// ccxt's order; of those that come together the user sees the last, so fewer arrive than were sent.
import ccxt from "ccxt";
import { measure } from "./tick_exchange.js";

const market = {
  id: "BTCUSDT", lowercaseId: "btcusdt", symbol: "BTC/USDT", base: "BTC", quote: "USDT",
  baseId: "BTC", quoteId: "USDT", type: "spot", spot: true, active: true, contract: false,
  precision: { amount: 1e-8, price: 1e-8 }, limits: {}, info: {},
};

async function watch(client, take) {
  for (;;) {
    const tickers = await client.watchBidsAsks(["BTC/USDT"]);
    take(tickers["BTC/USDT"].bidVolume);
  }
}

await measure({
  combined: false, // ccxt asks for the plain stream
  async connect(port, take) {
    const client = new ccxt.pro.binance();
    client.urls.api.ws.spot = `ws://127.0.0.1:${port}/ws`;
    await client.loadHttpProxyAgent(); // it wants to be asked before any ws:// address
    client.setMarkets([market]);
    watch(client, take).catch((error) => {
      console.error(`ccxt: ${error.message}`);
      process.exit(1);
    });
  },
});
