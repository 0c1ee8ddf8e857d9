/* tick_path.c - from a WebSocket frame on loopback to a handler's turn.
 *
 * The graph is the real one: the Binance adapter on a net over libwebsockets, the event engine,
 * whose routes the adapter delivers by, a consumer; each on its own thread. Beside it, in the same
 * run and from the same sender, a bare libwebsockets client that only counts: what is beyond it is
 * ours. Measured are how many frames a second arrive when the sender never rests (and whether all
 * do), and how long one takes at a steady rate, whether or not the one before has arrived. The
 * sender takes its share of the processors in both. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "actors/consumer.h"
#include "actors/event_engine.h"
#include "adapters/binance.h"
#include "bench/tick_exchange.h"

enum {
  PACED_MAX = 100000,
  ROOM = 8192 /* of the mailboxes */
};

/* The parameters. */
static uint64_t bulk_frames, paced_frames, rate;

/* What a receiver learns. Written in its thread; read by main after the mark that ends a run. */
struct sink {
  sem_t marked;
  _Atomic uint32_t mark; /* the last one seen */
  uint64_t bulk, bulk_last_ns;
  double latency_us[PACED_MAX];
  uint32_t paced;
};

static uint64_t sent_ns[PACED_MAX]; /* each is written before its frame, on the sender's side */

static void take(struct sink *sink, uint32_t number) {
  if (number == TICK_BULK) {
    sink->bulk++;
  } else if (number < TICK_MARKS) {
    /* relaxed: the semaphore orders it and all the rest. */
    atomic_store_explicit(&sink->mark, number, memory_order_relaxed);
    sink->bulk_last_ns = bench_now_ns();
    sem_post(&sink->marked);
  } else if (number - TICK_MARKS < paced_frames && sink->paced < paced_frames) {
    uint64_t took_ns = bench_now_ns() - sent_ns[number - TICK_MARKS];
    sink->latency_us[sink->paced++] = (double)took_ns / 1e3;
  }
}

/* ---- bare libwebsockets ---- */

struct bare {
  struct sink sink;
  uint16_t port;
  _Atomic bool stop;
  struct lws_context *context;
  pthread_t thread;
};

static int bare_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                         size_t size) {
  (void)user;
  if (reason == LWS_CALLBACK_CLIENT_RECEIVE && size == TICK_TEXT_BYTES) {
    struct bare *bare = lws_context_user(lws_get_context(wsi));
    take(&bare->sink, tick_read_number((const uint8_t *)in + tick_number_at()));
  }
  return 0;
}

static const struct lws_protocols bare_protocols[] = {
    {.name = "bare", .callback = bare_callback, .rx_buffer_size = 16384}, {.name = NULL}};

static void *bare_run(void *arg) {
  struct bare *bare = arg;
  struct lws_client_connect_info info = {.context = bare->context,
                                         .address = "127.0.0.1",
                                         .host = "127.0.0.1",
                                         .origin = "127.0.0.1",
                                         .path = "/",
                                         .port = bare->port,
                                         .local_protocol_name = "bare"};
  tick_must(lws_client_connect_via_info(&info) != NULL, "bare client");
  while (!atomic_load_explicit(&bare->stop, memory_order_relaxed)) lws_service(bare->context, 0);
  return NULL;
}

/* Connects it; returns the exchange's end. */
static int bare_open(struct bare *bare, int listener, uint16_t port) {
  struct lws_context_creation_info info = {.port = CONTEXT_PORT_NO_LISTEN,
                                           .protocols = bare_protocols,
                                           .gid = -1,
                                           .uid = -1,
                                           .user = bare,
                                           .pt_serv_buf_size = 65536,
                                           .fd_limit_per_thread = 64};
  lws_set_log_level(0, NULL);
  sem_init(&bare->sink.marked, 0, 0);
  bare->port = port;
  bare->context = lws_create_context(&info);
  tick_must(bare->context != NULL && pthread_create(&bare->thread, NULL, bare_run, bare) == 0,
            "bare client");
  return tick_accept(listener);
}

static void bare_close(struct bare *bare, int fd) {
  atomic_store_explicit(&bare->stop, true, memory_order_relaxed);
  lws_cancel_service(bare->context);
  pthread_join(bare->thread, NULL);
  lws_context_destroy(bare->context);
  close(fd);
}

/* ---- the graph ---- */

struct graph {
  struct sink sink;
  struct trp_net *net;
  struct trp_system *system;
  struct trp_consumer_options consumer;
  struct trp_feed_options feed;
  char ws_base[64];
};

static void on_event(void *arg, const struct trp_msg *msg) {
  const struct trp_quote *quote = trp_msg_quote(msg);
  if (quote != NULL) take(arg, (uint32_t)quote->bid_size - TICK_NUMBER_BASE);
}

/* Assembles and connects it; returns the exchange's end. */
static int graph_open(struct graph *g, int listener, uint16_t port) {
  static const char *const symbols[] = {"BTCUSDT"};
  sem_init(&g->sink.marked, 0, 0);
  snprintf(g->ws_base, sizeof g->ws_base, "ws://127.0.0.1:%u", port);
  bench_must(trp_net_lws_new(&g->net, NULL), "net");
  g->consumer = (struct trp_consumer_options){
      .events = "event_engine", .on_event = on_event, .on_event_arg = &g->sink};
  g->feed = (struct trp_feed_options){.net = g->net,
                                      .ws_base = g->ws_base,
                                      .http_base = "http://127.0.0.1:9",
                                      .symbols = symbols,
                                      .symbol_count = 1,
                                      .protocol.streams = TRP_STREAM_QUOTES};
  g->system = bench_system("tick_path");
  struct trp_mailbox_options roomy = {.capacity = ROOM, .policy = TRP_WAIT};
  bench_add(
      g->system,
      &(struct trp_spec){.name = "event_engine", .kind = &trp_event_engine_kind, .mailbox = roomy});
  bench_add(
      g->system,
      &(struct trp_spec){
          .name = "consumer", .kind = &trp_consumer_kind, .args = &g->consumer, .mailbox = roomy});
  bench_add(g->system, &(struct trp_spec){.name = "binance",
                                          .kind = &trp_binance_feed_kind,
                                          .args = &g->feed,
                                          .loop = &g->net->loop});
  bench_must(trp_system_edge(g->system, "binance", "event_engine"), "edge");
  bench_start(g->system);
  int fd = tick_accept(listener);
  tick_acknowledge(fd);
  return fd;
}

static void graph_close(struct graph *g, int fd) {
  trp_system_stop(g->system, "the end of the measurement");
  tick_farewell(fd);
  trp_system_destroy(&g->system);
  trp_net_destroy(&g->net);
}

/* ---- runs ---- */

/* Ends a run: sends marks until one has come through. */
static void end_run(struct sink *sink, int fd, uint32_t mark) {
  for (int tries = 0; tries < 50; tries++) {
    tick_send(fd, mark);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (until.tv_nsec + 200000000) / 1000000000;
    until.tv_nsec = (until.tv_nsec + 200000000) % 1000000000;
    while (sem_timedwait(&sink->marked, &until) == 0) {
      if (atomic_load_explicit(&sink->mark, memory_order_relaxed) == mark) return;
    }
  }
  tick_must(false, "the mark that ends a run");
}

/* Frames a second; *arrived gets the share of frames, in percent. */
static double run_blast(struct sink *sink, int fd, uint32_t mark, double *arrived) {
  sink->bulk = 0;
  uint64_t began_ns = bench_now_ns();
  tick_blast(fd, (uint32_t)bulk_frames);
  end_run(sink, fd, mark);
  *arrived = 100.0 * (double)sink->bulk / (double)bulk_frames;
  return bench_rate(sink->bulk, sink->bulk_last_ns - began_ns);
}

static void run_pace(struct sink *sink, int fd, uint32_t mark) {
  sink->paced = 0;
  tick_pace(fd, (uint32_t)paced_frames, TRP_NS_PER_S / rate, sent_ns);
  end_run(sink, fd, mark);
  if (sink->paced != paced_frames) bench_must(TRP_CLOSED, "frames are missing at a steady rate");
}

static void say_latency(struct sink *sink, const char *p50, const char *p99) {
  bench_say(p50, "us", statistics_quantile(sink->latency_us, paced_frames, 0.5));
  bench_say(p99, "us", statistics_quantile(sink->latency_us, paced_frames, 0.99));
}

int main(int argc, char **argv) {
  static struct bare bare;
  static struct graph graph;
  struct bench_param params[] = {
      {.name = "frames", .least = TICK_BLOCK, .most = 1u << 26, .value = &bulk_frames},
      {.name = "paced", .least = 1, .most = PACED_MAX, .value = &paced_frames},
      {.name = "rate", .least = 1, .most = 1000000, .value = &rate}};
  BENCH_OPEN(argc, argv, params);
  bulk_frames -= bulk_frames % TICK_BLOCK;
  uint16_t port;
  int listener = tick_listen(&port);
  int bare_fd = bare_open(&bare, listener, port);
  int graph_fd = graph_open(&graph, listener, port);
  uint32_t mark = TICK_BULK;
  double arrived, bare_arrived;
  run_blast(&bare.sink, bare_fd, ++mark, &bare_arrived);
  run_blast(&graph.sink, graph_fd, ++mark, &arrived);
  bench_say("bare_frames", "frames/s", run_blast(&bare.sink, bare_fd, ++mark, &bare_arrived));
  bench_say("frames", "frames/s", run_blast(&graph.sink, graph_fd, ++mark, &arrived));
  bench_say("arrived", "%", arrived);
  run_pace(&bare.sink, bare_fd, ++mark);
  say_latency(&bare.sink, "bare_p50", "bare_p99");
  run_pace(&graph.sink, graph_fd, ++mark);
  say_latency(&graph.sink, "p50", "p99");
  graph_close(&graph, graph_fd);
  bare_close(&bare, bare_fd);
  close(listener);
  return 0;
}
