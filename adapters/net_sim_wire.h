/* net_sim_wire.h - the inside of the simulated network; for net_sim*.c alone.
 *
 * A wire is one connection: two ends, the client's (0) and the server's (1). An end is what a net
 * calls a link; what it sends queues on it as parcels until they arrive at the other end, where a
 * parcel turns into the event that is handed out, so bytes are copied once. The wire is freed when
 * no net holds either end any more (settle).
 *
 * An end's last words need no memory: the parcel that ends the other side (`parting`: a close frame
 * or a reset) and the terminal event of its own (`last`) lie in it. */
#ifndef TRP_ADAPTERS_NET_SIM_WIRE_H
#define TRP_ADAPTERS_NET_SIM_WIRE_H

#include "adapters/net_sim.h"
#include "adapters/net_sim_agenda.h"
#include "adapters/net_url.h"

#define TRP_SIM_REASON_MAX 123      /* bytes of a close frame's reason, RFC 6455 section 5.5 */
#define TRP_SIM_HTTP_MAX (8u << 20) /* bytes of a body where the request does not say */
#define TRP_SIM_FRAME_MAX (1u << 20)

struct trp_simwire;
struct trp_simnet;

enum trp_parcel_kind {
  TRP_PARCEL_LOOKUP = 1, /* not sent yet: the client's name look-up */
  TRP_PARCEL_HELLO,      /* connect and handshake, or the HTTP request */
  TRP_PARCEL_WELCOME,    /* the handshake's answer */
  TRP_PARCEL_RESPONSE,
  TRP_PARCEL_MESSAGE,
  TRP_PARCEL_PING,
  TRP_PARCEL_PONG,
  TRP_PARCEL_CLOSE, /* a close frame */
  TRP_PARCEL_RESET  /* no connection, or no more */
};

struct trp_parcel {
  struct trp_parcel *next;
  enum trp_parcel_kind kind;
  bool embedded; /* lies in an end */
  uint64_t due_ns, number;
  struct trp_net_event event;
};

enum trp_simend_state {
  TRP_SIMEND_ABSENT, /* the server's, before the handshake; and any that its net has left */
  TRP_SIMEND_OPENING,
  TRP_SIMEND_OPEN,
  TRP_SIMEND_CLOSING,
  TRP_SIMEND_SERVING, /* a REQUEST waits for respond */
  TRP_SIMEND_OVER     /* the terminal event waits for next */
};

struct trp_simend {
  struct trp_simwire *wire;
  struct trp_simnet *net; /* NULL: nobody is here */
  uint64_t id;
  enum trp_simend_state state;
  uint32_t frame_max;
  bool held;
  bool parted; /* `parting` was sent */
  struct trp_due deadline;
  struct trp_due arrival;         /* of the first parcel at the other end */
  struct trp_parcel *head, *tail; /* what travels from here; arrives in this order */
  struct trp_parcel *unwritten;   /* the first that waits for room in the socket */
  uint32_t waiting;               /* how many do: the send queue */
  size_t socket_bytes;            /* of those that do not */
  struct trp_parcel parting, last;
  char said[TRP_SIM_REASON_MAX + 1], heard[TRP_SIM_REASON_MAX + 1];
};

/* A name that was dialled, listened on, or given conditions. */
struct trp_simserver {
  struct trp_simserver *next;
  struct trp_simnet *net; /* who listens */
  struct trp_simhub_conditions conditions;
  bool own; /* conditions are its own */
  bool silence_loses;
  uint64_t silent_until_ns;
  uint64_t last_ns[2]; /* latest arrival either way, for !reorder */
  uint16_t port;
  char host[TRP_NET_HOST_MAX + 1];
};

struct trp_simwire {
  struct trp_simwire *prev, *next;
  struct trp_simhub *hub;
  struct trp_simserver *server;
  bool http, tls;
  bool vanished; /* half-open */
  struct trp_simend ends[2];
};

struct trp_simhub {
  struct trp_sim_source source; /* first: a source is its hub */
  struct trp_agenda agenda;
  uint64_t now_ns, number, chance;
  struct trp_simserver everyone; /* the conditions and silence of all */
  struct trp_simserver *servers;
  size_t server_count, wire_count;
  struct trp_simwire *wires; /* in order of making */
  struct trp_simwire *wires_last;
  struct trp_simnet *nets;
  uint16_t port_next;
};

struct trp_simnet {
  struct trp_net net; /* first */
  struct trp_simhub *hub;
  struct trp_simnet *next;
  struct trp_net_options options;
  struct trp_simserver *listens; /* where; NULL: nowhere */
  struct trp_simend **links;     /* links_max of them */
  uint64_t serial;
  struct trp_parcel *head, *tail; /* events */
  size_t waiting_bytes;
  struct trp_parcel *taken; /* the event that was handed out last */
  char reason[TRP_SIM_REASON_MAX + 1];
};

/* ---- net_sim.c: the hub --------------------------------------------------------------------- */

/* The latest time known: of the last run or of a bound system. */
uint64_t trp_simhub_now(struct trp_simhub *hub);
bool trp_simhub_chance(struct trp_simhub *hub, uint32_t ppm);
uint64_t trp_simhub_delay(struct trp_simhub *hub, const struct trp_simhub_conditions *conditions);

/* Finds or makes a name's record. Errors: INVALID, LIMIT, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_simhub_server(struct trp_simhub *hub, const char *host,
                                            size_t host_bytes, uint16_t port,
                                            struct trp_simserver **out);
struct trp_simserver *trp_simhub_find(struct trp_simhub *hub, const char *host, uint16_t port);
const struct trp_simhub_conditions *trp_simhub_conditions(const struct trp_simhub *hub,
                                                          const struct trp_simserver *server);

/* ---- net_sim_net.c: the nets ---------------------------------------------------------------- */

/* Gives the end a link of the net. Errors: LIMIT. */
TRP_MUST_USE enum trp_err trp_simnet_attach(struct trp_simnet *net, struct trp_simend *end);
/* The net forgets the link; events that wait for it stay. */
void trp_simnet_detach(struct trp_simend *end);
/* Queues an event of the end: takes the parcel away. */
void trp_simnet_post(struct trp_simend *end, enum trp_net_event_kind kind,
                     struct trp_parcel *parcel);
/* More bytes wait than may: nothing is read. */
bool trp_simnet_congested(const struct trp_simnet *net);

/* ---- net_sim_wire.c: the connections -------------------------------------------------------- */

/* With room for `size` bytes, copied from `bytes` unless NULL. NULL where memory is short. */
struct trp_parcel *trp_parcel_new(enum trp_parcel_kind kind, const void *bytes, size_t size);
void trp_parcel_free(struct trp_parcel *parcel);

/* NULL where memory is short. */
struct trp_simwire *trp_simwire_new(struct trp_simhub *hub, struct trp_simserver *server);
/* Frees the wire where nobody holds it. Last thing of every entry from outside. */
void trp_simwire_settle(struct trp_simwire *wire);

struct trp_simend *trp_simend_other(const struct trp_simend *end);
/* Sends to the other end: takes the parcel away. */
void trp_simend_send(struct trp_simend *end, struct trp_parcel *parcel);
/* Begins the client's name look-up; `hello` is what follows it. */
void trp_simend_look_up(struct trp_simend *end, struct trp_parcel *hello);
/* (Re)considers when the first parcel from this end arrives. */
void trp_simend_arm(struct trp_simend *end);
/* Gives the end so long to come out of its state; an earlier deadline stays. */
void trp_simend_deadline(struct trp_simend *end, uint32_t timeout_ms);
/* The last thing sent: a close frame or a reset; once. `event` has code, err, status, reason. */
void trp_simend_part(struct trp_simend *end, enum trp_parcel_kind kind,
                     const struct trp_net_event *event);
/* Posts the terminal event, if there was none. */
void trp_simend_finish(struct trp_simend *end, const struct trp_net_event *event);
/* The end's net gives it up, the other end is reset. */
void trp_simend_abandon(struct trp_simend *end);
/* Both sides lose the connection at once. */
void trp_simwire_sever(struct trp_simwire *wire);
/* Both sides lose each other without noticing. */
void trp_simwire_vanish(struct trp_simwire *wire);

#endif
