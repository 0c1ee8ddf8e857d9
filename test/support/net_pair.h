/* net_pair.h - two nets that can reach each other, for the suite that every net has to pass.
 *
 * An implementation offers a trp_net_maker; the suite runs once over each that is in its table.
 * Thread: the test's. */
#ifndef TRP_TEST_SUPPORT_NET_PAIR_H
#define TRP_TEST_SUPPORT_NET_PAIR_H

#include "adapters/net.h"

struct trp_net_pair {
  struct trp_net *client;
  struct trp_net *server;
  /* Lets about `ms` pass for both: they run in turns. */
  void (*pump)(struct trp_net_pair *pair, uint64_t ms);
  void *user; /* the maker's own */
};

struct trp_net_maker {
  const char *name;
  /* False where it cannot. Both are made with the same options (NULL: the defaults). */
  bool (*make)(struct trp_net_pair *pair, const struct trp_net_options *options);
  void (*unmake)(struct trp_net_pair *pair);
};

extern const struct trp_net_maker trp_net_pair_lws;
extern const struct trp_net_maker trp_net_pair_sim;

/* The same with the client on a port of a shared net. */
extern const struct trp_net_maker trp_net_pair_lws_port;
extern const struct trp_net_maker trp_net_pair_sim_port;

#endif
