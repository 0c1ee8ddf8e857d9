#include <stdlib.h>

#include "adapters/net_sim.h"
#include "test/support/net_pair.h"

struct world {
  struct trp_simhub *hub;
  uint64_t now_ns;
};

static void pump(struct trp_net_pair *pair, uint64_t ms) {
  struct world *world = pair->user;
  struct trp_sim_source *source = trp_simhub_source(world->hub);
  uint64_t until_ns = world->now_ns + ms * TRP_NS_PER_MS;
  while (source->next_ns(source) <= until_ns) {
    uint64_t next_ns = source->next_ns(source);
    world->now_ns = next_ns > world->now_ns ? next_ns : world->now_ns;
    source->run(source, world->now_ns);
  }
  world->now_ns = until_ns;
  source->run(source, until_ns);
}

static bool make_hub(struct trp_net_pair *pair) {
  struct world *world = calloc(1, sizeof *world);
  *pair = (struct trp_net_pair){.pump = pump, .user = world};
  if (world == NULL) return false;
  world->hub = trp_simhub_new(1);
  return world->hub != NULL;
}

static bool make(struct trp_net_pair *pair, const struct trp_net_options *options) {
  if (!make_hub(pair)) return false;
  struct trp_simhub *hub = ((struct world *)pair->user)->hub;
  return trp_simhub_net_with(hub, &pair->client, options) == TRP_OK &&
         trp_simhub_net_with(hub, &pair->server, options) == TRP_OK;
}

/* The hub destroys the shared one. */
static bool make_port(struct trp_net_pair *pair, const struct trp_net_options *options) {
  if (!make_hub(pair)) return false;
  struct trp_simhub *hub = ((struct world *)pair->user)->hub;
  struct trp_net *shared;
  return trp_simhub_net(hub, &shared) == TRP_OK &&
         trp_net_port(shared, options, &pair->client) == TRP_OK &&
         trp_simhub_net_with(hub, &pair->server, options) == TRP_OK;
}

static void unmake(struct trp_net_pair *pair) {
  struct world *world = pair->user;
  if (world != NULL) trp_simhub_destroy(&world->hub);
  free(world);
  *pair = (struct trp_net_pair){0};
}

const struct trp_net_maker trp_net_pair_sim = {.name = "sim", .make = make, .unmake = unmake};
const struct trp_net_maker trp_net_pair_sim_port = {
    .name = "sim, on a port", .make = make_port, .unmake = unmake};
