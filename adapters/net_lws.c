/* Nets: each with its own events, links and bounds, on a loop of its own or on one that it shares.
 *
 * Whoever is on a shared loop runs in the loop's thread, so that nothing here is shared between
 * threads. A round of libwebsockets, wherever it comes from, may add to any net's events; they are
 * taken by their owner alone. */
#include "adapters/net_lws.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/check.h"

#define LINKS_MAX 64u
#define LINKS_LIMIT 16384u
#define SEND_QUEUE_MAX 1024u
#define EVENT_BYTES_MAX (4u << 20)
#define EVENT_BYTES_LEAST (64u << 10)
#define PORT_LINKS_MAX 32u
#define PORT_EVENT_BYTES_MAX (256u << 10)

uint64_t trp_net_lws_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * TRP_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- who waits for its owner ---------------------------------------------------------------- */

static void waits_no_more(struct trp_net_lws *net) {
  if (!net->waits || !trp_net_queue_empty(&net->queue)) {
    return;
  }
  struct trp_net_lws **link = net->waiting_before;
  *link = net->waiting_next;
  if (net->waiting_next != NULL) {
    net->waiting_next->waiting_before = link;
  }
  net->waits = false;
}

static void wait_for_owner(struct trp_net_lws *net) {
  if (net->waits) {
    return;
  }
  net->waits = true;
  net->waiting_before = &net->on->waiting;
  net->waiting_next = net->on->waiting;
  if (net->waiting_next != NULL) {
    net->waiting_next->waiting_before = &net->waiting_next;
  }
  net->on->waiting = net;
}

void trp_net_lws_news(struct trp_net_lws *net) {
  wait_for_owner(net);
  net->on->woken = true;
  net->notified_ns = trp_net_lws_now_ns();
  if (net->net.system != NULL) {
    net->on->told = true;
    trp_notify(net->net.system, net->net.slot);
  }
}

void trp_net_lws_due(struct trp_net_lws *net, uint64_t at_ns) {
  if (at_ns < net->links_due_ns) {
    net->links_due_ns = at_ns;
  }
  if (at_ns < net->on->links_due_ns) {
    net->on->links_due_ns = at_ns;
  }
}

void trp_net_lws_serve_due(struct trp_net_lws *net, uint64_t now) {
  net->links_due_ns = UINT64_MAX;
  for (uint32_t i = 0; i < net->options.links_max; i++) {
    struct trp_net_link *link = net->links[i];
    if (link != NULL && link->connect_now) {
      trp_net_link_connect(link);
      link = net->links[i];
    }
    if (link != NULL && link->deadline_ns <= now) {
      trp_net_link_expired(link);
      link = net->links[i];
    }
    if (link != NULL && link->deadline_ns < net->links_due_ns) {
      net->links_due_ns = link->deadline_ns;
    }
  }
}

/* ---- operations of the net itself ---------------------------------------------------------- */

static void resume_reading(struct trp_net_lws *net) {
  for (uint32_t i = 0; i < net->options.links_max; i++) {
    struct trp_net_link *link = net->links[i];
    if (link != NULL && link->held_full) {
      link->held_full = false;
      trp_net_link_flow(link);
    }
  }
}

static bool net_next(struct trp_net *base, struct trp_net_event *out) {
  struct trp_net_lws *net = trp_net_lws_of(base);
  bool was_low = trp_net_queue_low(&net->queue);
  bool found = trp_net_queue_next(&net->queue, out);
  if (!was_low && trp_net_queue_low(&net->queue)) {
    resume_reading(net);
  }
  waits_no_more(net);
  return found;
}

/* One round of the loop closes the descriptor now, also where nobody runs the loop any more. From
 * here on nobody is let in, neither in that round nor by a thread that is about to leave: he would
 * be nobody's. */
static void cancel_all(struct trp_net_lws *net) {
  struct trp_net_event event;
  if (net->on->owner == net) {
    trp_net_lws_unwatch_listener(net->on);
  }
  for (uint32_t i = 0; i < net->options.links_max; i++) {
    if (net->links[i] != NULL) {
      trp_net_link_drop(net->links[i]);
    }
  }
  if (net->on->owner == net) {
    trp_net_server_kill_strangers(net->on);
  }
  lws_service(net->on->context, -1);
  while (trp_net_queue_next(&net->queue, &event)) {
    continue;
  }
  waits_no_more(net);
}

static void net_cancel(struct trp_net *base, uint64_t id) {
  struct trp_net_lws *net = trp_net_lws_of(base);
  if (id == 0) {
    cancel_all(net);
    return;
  }
  trp_net_queue_forget(&net->queue, id);
  struct trp_net_link *link = trp_net_link_find(net, id);
  if (link != NULL) {
    trp_net_link_drop(link);
    lws_service(net->on->context, -1);
  }
}

static void net_hold(struct trp_net *base, uint64_t id, bool held) {
  struct trp_net_link *link = trp_net_link_find(trp_net_lws_of(base), id);
  if (link != NULL) {
    link->held = held;
    trp_net_link_flow(link);
  }
}

static size_t net_live(struct trp_net *base) { return trp_net_lws_of(base)->live; }

static void leave_loop(struct trp_net_lws *net) {
  struct trp_net_lws **link = &net->on->nets;
  while (*link != net) {
    link = &(*link)->next;
  }
  *link = net->next;
}

/* Also of a half-built net. */
static void net_destroy(struct trp_net *base) {
  struct trp_net_lws *net = trp_net_lws_of(base);
  struct trp_net_lws_loop *on = net->on;
  bool owner = on != NULL && on->owner == net;
  net->net.system = NULL;                                  /* it has gone before */
  CHECK(!owner || (on->nets == net && net->next == NULL)); /* its ports go before it */
  if (net->links != NULL && on != NULL && on->context != NULL) {
    cancel_all(net);
  }
  if (on != NULL) {
    leave_loop(net);
  }
  if (owner) {
    trp_net_lws_loop_destroy(on);
  }
  trp_net_queue_fini(&net->queue);
  free(net->links);
  free(net);
}

void trp_net_lws_servers(struct trp_net *net, const char *servers) {
  trp_net_cares_servers(trp_net_lws_of(net)->on->cares, servers);
}

/* ---- making -------------------------------------------------------------------------------- */

static enum trp_err net_port(struct trp_net *shared, const struct trp_net_options *options,
                             struct trp_net **out);

static const struct trp_net_ops operations = {
    .ws_open = trp_net_ws_open,
    .ws_send = trp_net_ws_send,
    .ws_ping = trp_net_ws_ping,
    .ws_close = trp_net_ws_close,
    .http_send = trp_net_http_send,
    .cancel = net_cancel,
    .listen = trp_net_server_listen,
    .respond = trp_net_server_respond,
    .hold = net_hold,
    .next = net_next,
    .live = net_live,
    .port = net_port,
    .destroy = net_destroy,
};

static uint32_t or_else(uint32_t value, uint32_t otherwise) { return value ? value : otherwise; }

/* `links_max` and `event_bytes_max` are the defaults. */
static enum trp_err make_net(struct trp_net_lws **out, const struct trp_net_options *options,
                             uint32_t links_max, uint32_t event_bytes_max) {
  const struct trp_net_options none = {0};
  options = options != NULL ? options : &none;
  struct trp_net_lws *net = calloc(1, sizeof *net);
  if (net == NULL) {
    return TRP_NO_MEMORY;
  }
  net->net.ops = &operations;
  net->links_due_ns = UINT64_MAX;
  net->options.links_max = or_else(options->links_max, links_max);
  net->options.send_queue_max = or_else(options->send_queue_max, SEND_QUEUE_MAX);
  net->options.event_bytes_max = or_else(options->event_bytes_max, event_bytes_max);
  if (net->options.links_max > LINKS_LIMIT) {
    net->options.links_max = LINKS_LIMIT;
  }
  if (net->options.event_bytes_max < EVENT_BYTES_LEAST) {
    net->options.event_bytes_max = EVENT_BYTES_LEAST;
  }
  net->links = calloc(net->options.links_max, sizeof(struct trp_net_link *));
  if (net->links == NULL || trp_net_queue_init(&net->queue, net->options.event_bytes_max,
                                               net->options.links_max) != TRP_OK) {
    net_destroy(&net->net);
    return TRP_NO_MEMORY;
  }
  *out = net;
  return TRP_OK;
}

static void enter_loop(struct trp_net_lws *net, struct trp_net_lws_loop *on) {
  net->on = on;
  net->next = on->nets;
  on->nets = net;
}

/* Its spec named the port's loop instead of the net's (trp_net_loop). */
static void run_port(struct trp_loop *loop, uint64_t until_ns) {
  (void)until_ns;
  CHECK(loop == NULL);
}

static void wake_port(struct trp_loop *loop) { CHECK(loop == NULL); }

static enum trp_err net_port(struct trp_net *shared, const struct trp_net_options *options,
                             struct trp_net **out) {
  struct trp_net_lws *net;
  enum trp_err err = make_net(&net, options, PORT_LINKS_MAX, PORT_EVENT_BYTES_MAX);
  if (err != TRP_OK) {
    return err;
  }
  net->net.loop = (struct trp_loop){.run = run_port, .wake = wake_port};
  net->net.shared = &trp_net_lws_of(shared)->on->owner->net;
  enter_loop(net, trp_net_lws_of(shared)->on);
  *out = &net->net;
  return TRP_OK;
}

enum trp_err trp_net_lws_new(struct trp_net **out, const struct trp_net_options *options) {
  struct trp_net_lws *net;
  struct trp_net_lws_loop *on;
  enum trp_err err = make_net(&net, options, LINKS_MAX, EVENT_BYTES_MAX);
  if (err != TRP_OK) {
    return err;
  }
  net->net.loop = (struct trp_loop){.run = trp_net_lws_run, .wake = trp_net_lws_wake};
  err = trp_net_lws_loop_new(&on, net, options);
  if (err != TRP_OK) {
    net_destroy(&net->net);
    return err;
  }
  enter_loop(net, on);
  *out = &net->net;
  return TRP_OK;
}
