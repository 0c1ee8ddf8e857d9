/* net_sim_world.h - a simulated hub with a client's and a server's net, driven by hand in tests.
 *
 * pump() plays the scheduler. A net may be bound to the world as if it were a system; the test
 * program then defines trp_notify and trp_system_now_ns over it. Failures are cmocka's. */
#ifndef TRP_TEST_UNIT_NET_SIM_WORLD_H
#define TRP_TEST_UNIT_NET_SIM_WORLD_H

#include "adapters/net_sim.h"

#define MS TRP_NS_PER_MS
#define SERVER "127.0.0.1:8080"
#define URL "ws://127.0.0.1:8080/ws?a=b"

struct world {
  struct trp_simhub *hub;
  struct trp_net *client, *server; /* the server's listens on SERVER */
  uint64_t now_ns;
  unsigned notified;
  uint64_t link, peer;        /* of open_pair */
  struct trp_net_event event; /* the last that was taken */
};

struct world *world_new(uint64_t seed);
void world_destroy(struct world *w);

/* cmocka's fixture: *state is a world of seed 1. */
int world_setup(void **state);
int world_teardown(void **state);

/* Lets virtual time go by. */
void pump(struct world *w, uint64_t ns);

/* The net's next event, which must be of that kind. */
const struct trp_net_event *take(struct world *w, struct trp_net *net,
                                 enum trp_net_event_kind kind);
void nothing_comes(struct trp_net *net);
/* The next event must be that text. */
void hear(struct world *w, struct trp_net *net, const char *text);

uint64_t dial(struct world *w, const char *url, uint32_t timeout_ms);
/* POSTs "hello" to SERVER's /api?x=1. */
uint64_t fetch(struct world *w, uint32_t timeout_ms);
void open_pair(struct world *w);
enum trp_err say(struct trp_net *net, uint64_t link, const char *text);

/* No link, no event, nothing to do. */
void nobody_is_left(struct world *w);
/* Conditions for SERVER. */
void set(struct world *w, struct trp_simhub_conditions conditions);

#endif
