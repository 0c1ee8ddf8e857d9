#include <time.h>

#include "test/support/net_pair.h"

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * TRP_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void pump(struct trp_net_pair *pair, uint64_t ms) {
  uint64_t end = now_ns() + ms * TRP_NS_PER_MS;
  do {
    struct trp_loop *clients = trp_net_loop(pair->client);
    clients->run(clients, 0);
    pair->server->loop.run(&pair->server->loop, now_ns() + TRP_NS_PER_MS / 4);
  } while (now_ns() < end);
}

static bool make(struct trp_net_pair *pair, const struct trp_net_options *options) {
  *pair = (struct trp_net_pair){.pump = pump};
  return trp_net_lws_new(&pair->client, options) == TRP_OK &&
         trp_net_lws_new(&pair->server, options) == TRP_OK;
}

/* What all links of the shared net may be together is more than the port's. */
static bool make_port(struct trp_net_pair *pair, const struct trp_net_options *options) {
  struct trp_net *shared;
  const struct trp_net_options same = {.event_bytes_max = 4u << 20, .links_max = 64};
  *pair = (struct trp_net_pair){.pump = pump};
  return trp_net_lws_new(&shared, NULL) == TRP_OK &&
         trp_net_port(shared, options != NULL ? options : &same, &pair->client) == TRP_OK &&
         trp_net_lws_new(&pair->server, options) == TRP_OK;
}

static void unmake(struct trp_net_pair *pair) {
  struct trp_net *shared = pair->client->shared;
  trp_net_destroy(&pair->client);
  trp_net_destroy(&shared);
  trp_net_destroy(&pair->server);
}

const struct trp_net_maker trp_net_pair_lws = {.name = "lws", .make = make, .unmake = unmake};
const struct trp_net_maker trp_net_pair_lws_port = {
    .name = "lws, on a port", .make = make_port, .unmake = unmake};
