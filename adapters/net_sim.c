#include "adapters/net_sim.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapters/net_sim_wire.h"

#define SERVERS_MAX 4096 /* names a hub remembers: a test dials a handful */
#define PORT_FIRST 40000
#define PPM 1000000u

/* ---- time and chance ------------------------------------------------------------------------ */

uint64_t trp_simhub_now(struct trp_simhub *hub) {
  for (struct trp_simnet *net = hub->nets; net != NULL; net = net->next) {
    if (net->net.system == NULL) continue;
    uint64_t now_ns = trp_system_now_ns(net->net.system);
    if (now_ns > hub->now_ns) hub->now_ns = now_ns;
  }
  return hub->now_ns;
}

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t draw(struct trp_simhub *hub) {
  uint64_t z = hub->chance += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

bool trp_simhub_chance(struct trp_simhub *hub, uint32_t ppm) {
  return ppm != 0 && draw(hub) % PPM < ppm;
}

uint64_t trp_simhub_delay(struct trp_simhub *hub, const struct trp_simhub_conditions *conditions) {
  uint64_t min_ns = conditions->delay_min_ns;
  uint64_t max_ns = conditions->delay_max_ns;
  return max_ns > min_ns ? min_ns + draw(hub) % (max_ns - min_ns + 1) : min_ns;
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool same_host(const struct trp_simserver *server, const char *host, size_t bytes) {
  return strlen(server->host) == bytes && strncasecmp(server->host, host, bytes) == 0;
}

static void canonical(const char **host, size_t *bytes) {
  static const char local[] = "localhost";
  static const char address[] = "127.0.0.1";
  if (*bytes != sizeof local - 1 || strncasecmp(*host, local, *bytes) != 0) return;
  *host = address;
  *bytes = sizeof address - 1;
}

static struct trp_simserver *find(struct trp_simhub *hub, const char *host, size_t bytes,
                                  uint16_t port) {
  canonical(&host, &bytes);
  for (struct trp_simserver *s = hub->servers; s != NULL; s = s->next) {
    if (s->port == port && same_host(s, host, bytes)) return s;
  }
  return NULL;
}

struct trp_simserver *trp_simhub_find(struct trp_simhub *hub, const char *host, uint16_t port) {
  return find(hub, host, strlen(host), port);
}

enum trp_err trp_simhub_server(struct trp_simhub *hub, const char *host, size_t host_bytes,
                               uint16_t port, struct trp_simserver **out) {
  if (host_bytes == 0 || host_bytes > TRP_NET_HOST_MAX) return TRP_INVALID;
  *out = find(hub, host, host_bytes, port);
  if (*out != NULL) return TRP_OK;
  if (hub->server_count >= SERVERS_MAX) return TRP_LIMIT;
  struct trp_simserver *server = calloc(1, sizeof *server);
  if (server == NULL) return TRP_NO_MEMORY;
  canonical(&host, &host_bytes);
  memcpy(server->host, host, host_bytes);
  server->port = port;
  server->next = hub->servers;
  hub->servers = server;
  hub->server_count++;
  *out = server;
  return TRP_OK;
}

/* "host:port", or NULL for everyone. */
static enum trp_err server_named(struct trp_simhub *hub, const char *name,
                                 struct trp_simserver **out) {
  *out = &hub->everyone;
  if (name == NULL) return TRP_OK;
  const char *colon = strrchr(name, ':');
  if (colon == NULL) return TRP_INVALID;
  char *end = NULL;
  unsigned long port = strtoul(colon + 1, &end, 10);
  if (*end != '\0' || port == 0 || port > UINT16_MAX) return TRP_INVALID;
  return trp_simhub_server(hub, name, (size_t)(colon - name), (uint16_t)port, out);
}

/* ---- conditions ----------------------------------------------------------------------------- */

struct trp_simhub_conditions trp_simhub_calm(void) {
  return (struct trp_simhub_conditions){.delay_min_ns = 50000, .delay_max_ns = 150000};
}

const struct trp_simhub_conditions *trp_simhub_conditions(const struct trp_simhub *hub,
                                                          const struct trp_simserver *server) {
  return server->own ? &server->conditions : &hub->everyone.conditions;
}

enum trp_err trp_simhub_set(struct trp_simhub *hub, const char *server,
                            const struct trp_simhub_conditions *conditions) {
  struct trp_simserver *record = NULL;
  enum trp_err err = server_named(hub, server, &record);
  if (err != TRP_OK) return err;
  record->own = conditions != NULL;
  record->conditions = conditions == NULL ? trp_simhub_calm() : *conditions;
  return TRP_OK;
}

enum trp_err trp_simhub_silence(struct trp_simhub *hub, const char *server, uint64_t for_ns,
                                bool lose) {
  struct trp_simserver *record = NULL;
  enum trp_err err = server_named(hub, server, &record);
  if (err != TRP_OK) return err;
  record->silent_until_ns = trp_simhub_now(hub) + for_ns;
  record->silence_loses = lose;
  for (struct trp_simwire *wire = hub->wires; wire != NULL; wire = wire->next) {
    for (int side = 0; side < 2; side++) trp_simend_arm(&wire->ends[side]);
  }
  return TRP_OK;
}

static void to_each_wire(struct trp_simhub *hub, const char *server,
                         void (*act)(struct trp_simwire *wire)) {
  struct trp_simserver *record = NULL;
  if (server_named(hub, server, &record) != TRP_OK) return;
  (void)trp_simhub_now(hub);
  for (struct trp_simwire *wire = hub->wires; wire != NULL; wire = wire->next) {
    if (record == &hub->everyone || wire->server == record) act(wire);
  }
}

void trp_simhub_drop(struct trp_simhub *hub, const char *server) {
  to_each_wire(hub, server, trp_simwire_sever);
}

void trp_simhub_half_open(struct trp_simhub *hub, const char *server) {
  to_each_wire(hub, server, trp_simwire_vanish);
}

size_t trp_simhub_connections(const struct trp_simhub *hub) { return hub->wire_count; }

/* ---- the source ----------------------------------------------------------------------------- */

static uint64_t next_ns(struct trp_sim_source *source) {
  const struct trp_due *due = trp_agenda_first(&((struct trp_simhub *)source)->agenda);
  return due == NULL ? TRP_FOREVER : due->at_ns;
}

static void run(struct trp_sim_source *source, uint64_t now_ns) {
  struct trp_simhub *hub = (struct trp_simhub *)source;
  if (now_ns > hub->now_ns) hub->now_ns = now_ns;
  struct trp_due *due = trp_agenda_first(&hub->agenda);
  if (due == NULL || due->at_ns > now_ns) return;
  trp_agenda_remove(&hub->agenda, due);
  due->run(due);
}

/* ---- life ----------------------------------------------------------------------------------- */

struct trp_simhub *trp_simhub_new(uint64_t seed) {
  struct trp_simhub *hub = calloc(1, sizeof *hub);
  if (hub == NULL) return NULL;
  hub->source = (struct trp_sim_source){.next_ns = next_ns, .run = run};
  hub->chance = seed;
  hub->everyone.conditions = trp_simhub_calm();
  hub->port_next = PORT_FIRST;
  return hub;
}

void trp_simhub_destroy(struct trp_simhub **hub_at) {
  struct trp_simhub *hub = *hub_at;
  if (hub == NULL) return;
  *hub_at = NULL;
  for (struct trp_simnet *net = hub->nets; net != NULL; net = net->next) net->net.system = NULL;
  while (hub->nets != NULL) hub->nets->net.ops->destroy(&hub->nets->net);
  while (hub->servers != NULL) {
    struct trp_simserver *server = hub->servers;
    hub->servers = server->next;
    free(server);
  }
  trp_agenda_fini(&hub->agenda);
  free(hub);
}

struct trp_sim_source *trp_simhub_source(struct trp_simhub *hub) {
  return &hub->source;
}
