/* net_sim.h - the simulated twin of the network: many nets over one hub in memory, in virtual time.
 *
 * A hub owns its nets and everything between them. It is a source of the simulated scheduler: add
 * trp_simhub_source() with trp_sim_add_source() and give each adapter a net of the hub. A client's
 * ws_open("ws://host:port/path") finds the net that listens on host:port; names are just names, so
 * a test may listen on "stream.example.com". TLS is taken as given (see tls_fails). Names under
 * ".invalid" never resolve (RFC 6761, section 6.4); "localhost" is 127.0.0.1; 0.0.0.0 is any host.
 *
 * What travels is drawn from the hub's own seed and kept in the order (time, number of sending), so
 * one seed and one sequence of calls is one trace. Within a link's direction order always holds, as
 * in TCP; only different links may overtake one another (`reorder`).
 *
 * A link's socket takes a mebibyte of what was not delivered yet; what goes beyond waits in the
 * send queue and counts against its bound. Conditions and acts name a server as "host:port", as the
 * client dialled it; NULL is all of them. Thread: everything here is for the one thread of the
 * simulation. */
#ifndef TRP_ADAPTERS_NET_SIM_H
#define TRP_ADAPTERS_NET_SIM_H

#include "adapters/net.h"
#include "runtime/sim.h"

struct trp_simhub;

enum trp_simhub_door {
  TRP_SIMHUB_OPEN,
  TRP_SIMHUB_REFUSES,   /* connecting FAILs with CONNECT */
  TRP_SIMHUB_BLACK_HOLE /* connecting is never answered: FAILED with TIMEOUT */
};

/* What a server's links live under. Chances are per million deliveries. */
struct trp_simhub_conditions {
  uint64_t delay_min_ns, delay_max_ns; /* one way, drawn for everything sent */
  bool reorder;                        /* links of one server may overtake one another */
  enum trp_simhub_door door;
  uint64_t resolve_ns;     /* a name look-up takes so long */
  bool resolve_fails;      /* ... and FAILs with RESOLVE */
  bool tls_fails;          /* wss and https FAIL with TLS */
  uint16_t answer_status;  /* nonzero: handshakes and requests get this HTTP status at once, */
  uint32_t answer_retry_s; /* ... this Retry-After, and the server never hears of them */
  uint32_t drop_ppm;       /* instead of delivering, the connection dies (1006 on both sides) */
  uint32_t half_open_ppm;  /* instead of delivering, the connection goes half-open */
};

/* A hub without nets, under calm conditions. NULL where memory is short. */
struct trp_simhub *trp_simhub_new(uint64_t seed);

/* Destroys what nets are left, then the hub; their system must be gone before. NULL is fine. */
void trp_simhub_destroy(struct trp_simhub **hub);

/* To be given to trp_sim_add_source; the hub's own. */
struct trp_sim_source *trp_simhub_source(struct trp_simhub *hub);

/* A net of the hub, with default options. It may be destroyed by itself or is by the hub.
 * Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_simhub_net(struct trp_simhub *hub, struct trp_net **out);

/* The same with other options; zero fields and NULL mean the defaults. Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_simhub_net_with(struct trp_simhub *hub, struct trp_net **out,
                                              const struct trp_net_options *options);

/* Calm: one way takes 50 to 150 µs, nothing fails. The start for conditions of one's own. */
struct trp_simhub_conditions trp_simhub_calm(void);

/* From now on this holds for the server (NULL: for all that have none of their own). NULL for
 * conditions takes a server's own back, and makes all calm. What is on its way already keeps its
 * delay. Errors: INVALID (the name), LIMIT, NO_MEMORY. */
enum trp_err trp_simhub_set(struct trp_simhub *hub, const char *server,
                            const struct trp_simhub_conditions *conditions);

/* Every connection of the server dies now, on both sides, without a close frame. */
void trp_simhub_drop(struct trp_simhub *hub, const char *server);

/* Nothing is delivered for `for_ns`. What falls due meanwhile comes afterwards; with `lose`,
 * messages, pings and pongs are lost instead (the rest still comes, so that streams stay well
 * formed). 0 ends a silence. Errors: INVALID (the name), LIMIT, NO_MEMORY. */
enum trp_err trp_simhub_silence(struct trp_simhub *hub, const char *server, uint64_t for_ns,
                                bool lose);

/* Every present connection of the server loses its peer, on both sides: sends succeed, nothing ever
 * comes, not even an end. Later connections are whole. */
void trp_simhub_half_open(struct trp_simhub *hub, const char *server);

/* Connections that exist, in any state: 0 when every link on both sides has ended. */
size_t trp_simhub_connections(const struct trp_simhub *hub);

#endif
