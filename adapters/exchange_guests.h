/* exchange_guests.h - who comes to the embedded exchange, by address, and what each has used of the
 * limits that are an address's and not a connection's.
 *
 * A fixed table; where it is full, the one that was heard of longest ago and is not connected is
 * forgotten. Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_GUESTS_H
#define TRP_ADAPTERS_EXCHANGE_GUESTS_H

#include "adapters/exchange_dialect.h"

#define TRP_EXCHANGE_GUESTS_MAX 64
#define TRP_EXCHANGE_OFFENCES_MAX 10 /* connections ended for breaking a limit, in five minutes */
#define TRP_EXCHANGE_OFFENCES_S 300
#define TRP_EXCHANGE_EXILE_S 120 /* then, new connections are refused for so long */

struct trp_exchange_guest {
  bool known;
  uint64_t address;
  uint64_t heard_ns;
  uint32_t connections;
  uint32_t attempts;
  uint64_t attempts_ns; /* when they began to be counted */
  uint32_t offences;
  uint64_t offences_ns;
  uint64_t exile_ns; /* no connection before */
  struct trp_exchange_meter meter;
};

struct trp_exchange_guests {
  struct trp_exchange_guest list[TRP_EXCHANGE_GUESTS_MAX];
};

/* The guest of an address, known from then on. Borrowed until the next call. */
struct trp_exchange_guest *trp_exchange_guest(struct trp_exchange_guests *guests, uint64_t address,
                                              uint64_t now_ns);

/* One connection more; NULL, or why it is refused. An attempt counts in any case. */
const char *trp_exchange_guest_enter(struct trp_exchange_guest *guest,
                                     const struct trp_exchange_limits *limits, uint64_t now_ns);
void trp_exchange_guest_leave(struct trp_exchange_guest *guest);

/* One of its connections broke a limit. */
void trp_exchange_guest_offends(struct trp_exchange_guest *guest, uint64_t now_ns);

#endif
