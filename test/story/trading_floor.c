#include "test/story/trading_floor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/supervisor.h"
#include "runtime/sim.h"

/* ---- a client that counts what happens to it ---- */

static void look_at_depth(struct seen *seen, uint64_t first, uint64_t last) {
  if (seen->depth_id == 0 || first == seen->depth_id + 1) {
    seen->depth_id = last;
  } else if (last == seen->depth_id) {
    seen->repeats++;
  } else if (last < seen->depth_id) {
    seen->returns++;
  } else {
    seen->holes++;
    seen->depth_id = last;
  }
}

static void look_at_frame(struct seen *seen, const struct trp_net_event *event) {
  const char *bytes = event->bytes;
  char text[sizeof seen->last];
  size_t size = event->size < sizeof text ? event->size : sizeof text - 1;
  memcpy(text, bytes, size);
  text[size] = '\0';
  seen->frames++;
  if (event->binary) {
    seen->binary++;
    seen->junk += (unsigned char)bytes[0] == 0xff;
    return;
  }
  if (event->size == 0 || bytes[0] != '{' || bytes[event->size - 1] != '}') {
    seen->junk++;
    return;
  }
  memcpy(seen->last, text, size + 1);
  seen->replies += strstr(text, "\"result\"") != NULL;
  const char *first = strstr(text, "\"U\":");
  const char *last = strstr(text, "\"u\":");
  if (first != NULL && last != NULL) {
    look_at_depth(seen, strtoull(first + 4, NULL, 10), strtoull(last + 4, NULL, 10));
  }
}

static enum trp_err client_ready(struct trp_self *self, void *state) {
  struct seen *seen = *(struct seen **)state;
  struct trp_net_event event;
  while (seen->net->ops->next(seen->net, &event)) {
    seen->opened += event.kind == TRP_NET_OPENED;
    seen->failed += event.kind == TRP_NET_FAILED;
    seen->pings += event.kind == TRP_NET_PING;
    if (event.kind == TRP_NET_RESPONSE) {
      seen->responses++;
      seen->status = event.status;
      seen->retry_after_s = event.retry_after_s;
    }
    if (event.kind == TRP_NET_FRAME) {
      look_at_frame(seen, &event);
    } else if (event.kind == TRP_NET_CLOSED) {
      seen->closed++;
      seen->proper += event.proper;
      seen->code = event.code;
    }
  }
  if (seen->waits && seen->closed == seen->opened) {
    seen->waits = false;
    trp_stop_release(self);
  }
  return TRP_OK;
}

static void client_stop(struct trp_self *self, void *state) {
  struct seen *seen = *(struct seen **)state;
  seen->waits = seen->closed < seen->opened;
  if (seen->waits) {
    trp_stop_hold(self);
  }
}

static enum trp_err client_start(struct trp_self *self, void *state, const void *args) {
  struct seen *seen = *(struct seen *const *)args;
  *(struct seen **)state = seen;
  trp_net_bind(seen->net, trp_self_system(self), trp_self_ref(self));
  return TRP_OK;
}

/* One that is half-open or held hears of no end: it is given up. */
static void client_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  struct seen *seen = *(struct seen **)state;
  seen->net->ops->cancel(seen->net, seen->link);
}

/* "ws PATH", "http PATH", "say TEXT", "hold", "close". */
static enum trp_err client_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  struct seen *seen = *(struct seen **)state;
  const struct trp_operator *order = trp_msg_operator(msg);
  const struct trp_net_ops *ops = seen->net->ops;
  char url[256];
  if (order == NULL) {
    return TRP_OK;
  }
  const char *rest = strchr(order->text, ' ');
  snprintf(url, sizeof url, "%s://127.0.0.1:9000%s", order->text[0] == 'w' ? "ws" : "http",
           rest != NULL ? rest + 1 : "");
  struct trp_net_request request = {.url = url, .timeout_ms = 5000};
  switch (order->text[0]) {
    case 'w':
      return ops->ws_open(seen->net, &request, &seen->link);
    case 'h': {
      uint64_t link;
      if (strcmp(order->text, "hold") != 0) return ops->http_send(seen->net, &request, &link);
      ops->hold(seen->net, seen->link, true);
      return TRP_OK;
    }
    case 's':
      return ops->ws_send(seen->net, seen->link, false, rest + 1, strlen(rest + 1));
    default:
      ops->ws_close(seen->net, seen->link, 1000, "bye", 1000);
      return TRP_OK;
  }
}

static const struct trp_kind client_kind = {.name = "client",
                                            .state_bytes = sizeof(struct seen *),
                                            .start = client_start,
                                            .receive = client_receive,
                                            .ready = client_ready,
                                            .stop = client_stop,
                                            .end = client_end};

/* ---- the world ---- */

struct floor trading_floor;

void floor_build(const struct trp_exchange_options *options) {
  memset(&trading_floor, 0, sizeof trading_floor);
  trading_floor.hub = trp_simhub_new(3);
  assert_non_null(trading_floor.hub);
  trading_floor.options = *options;
  assert_int_equal(TRP_OK, trp_simhub_net(trading_floor.hub, &trading_floor.options.net));
  assert_int_equal(TRP_OK, trp_simhub_net(trading_floor.hub, &trading_floor.seen.net));
  trading_floor.options.stats = &trading_floor.stats;
  trading_floor.options.port = 9000;
  trading_floor.options.wall_ns = 1700000000 * TRP_NS_PER_S;
  trading_floor.seen_args = &trading_floor.seen;
  assert_int_equal(TRP_OK, trp_system_new(&trading_floor.system,
                                          &(struct trp_system_options){.name = "story",
                                                                       .sched = TRP_SCHED_SIM,
                                                                       .seed = 5,
                                                                       .allow_faults = true,
                                                                       .log_fd = -1}));
  const struct trp_spec specs[] = {
      {.name = "supervisor", .kind = &trp_supervisor_kind},
      {.name = "client",
       .kind = &client_kind,
       .args = &trading_floor.seen_args,
       .loop = &trading_floor.seen.net->loop,
       .supervisor = "supervisor"},
      {.name = "exchange",
       .kind = &trp_exchange_kind,
       .args = &trading_floor.options,
       .loop = &trading_floor.options.net->loop,
       .supervisor = "supervisor"},
  };
  for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
    assert_int_equal(TRP_OK, trp_system_add(trading_floor.system, &specs[i]));
  }
  trp_sim_add_source(trading_floor.system, trp_simhub_source(trading_floor.hub));
  char failure[128] = "";
  enum trp_err err = trp_system_start(trading_floor.system, failure, sizeof failure);
  assert_string_equal("", failure);
  assert_int_equal(TRP_OK, err);
}

void floor_close(void) {
  trp_system_destroy(&trading_floor.system);
  assert_int_equal(0, trp_simhub_connections(trading_floor.hub));
  trp_simhub_destroy(&trading_floor.hub);
}

void floor_run_ms(uint64_t ms) { trp_sim_run_for(trading_floor.system, ms * TRP_NS_PER_MS); }

void floor_order(const char *text) {
  struct trp_operator message = {0};
  snprintf(message.text, sizeof message.text, "%s", text);
  assert_int_equal(TRP_OK, trp_system_send(trading_floor.system,
                                           trp_system_whereis(trading_floor.system, "client"),
                                           TRP_OPERATOR, &message, sizeof message));
}

struct trp_result floor_ask(uint16_t type, const char *text) {
  union {
    struct trp_fault fault;
    struct trp_operator operator;
  } message = {0};
  struct trp_result result = {0};
  size_t size = sizeof result;
  uint16_t answer = 0;
  snprintf(message.fault.text, sizeof message.fault.text, "%s", text);
  size_t bytes = type == TRP_FAULT ? sizeof message.fault : sizeof message.operator;
  assert_int_equal(
      TRP_OK,
      trp_system_ask(trading_floor.system, trp_system_whereis(trading_floor.system, "exchange"),
                     type, &message, bytes, TRP_NS_PER_S, &answer, &result, &size));
  assert_int_equal(TRP_RESULT, answer);
  return result;
}

void floor_fault(const char *text) { assert_int_equal(TRP_OK, floor_ask(TRP_FAULT, text).status); }

/* A new world with a client that hears BTCUSDT. */
void floor_begin(void) {
  floor_build(&(struct trp_exchange_options){.quotes_per_s = 20});
  floor_order("ws " FLOOR_STREAM);
  floor_run_ms(1000);
  assert_int_equal(1, trading_floor.seen.opened);
  assert_true(trading_floor.seen.frames > 15);
}

/* Frames that came within so many milliseconds. */
uint32_t floor_frames_in(uint64_t ms) {
  uint32_t before = trading_floor.seen.frames;
  floor_run_ms(ms);
  return trading_floor.seen.frames - before;
}

int64_t floor_sockets(void) {
  struct trp_actor_info info;
  for (size_t i = 0; trp_system_actor(trading_floor.system, i, &info); i++) {
    if (strcmp(info.name, "exchange") == 0) {
      return info.held[TRP_RES_SOCKET];
    }
  }
  return -1;
}
