// Node's ws: a client that parses each message as JSON and looks at the quote.
import WebSocket from "ws";
import { measure } from "./tick_exchange.js";

await measure({
  combined: true,
  connect(port, take) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/stream`);
    socket.on("message", (bytes) => {
      const message = JSON.parse(bytes);
      if (message.data) take(message.data.B);
    });
    return new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("open", () => {
        const params = ["btcusdt@bookTicker"];
        socket.send(JSON.stringify({ method: "SUBSCRIBE", params, id: 1 }));
        resolve();
      });
    });
  },
});
