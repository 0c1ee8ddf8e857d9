#include "adapters/exchange_guests.h"

#include "runtime/troupe.h"

struct trp_exchange_guest *trp_exchange_guest(struct trp_exchange_guests *guests, uint64_t address,
                                              uint64_t now_ns) {
  struct trp_exchange_guest *oldest = NULL;
  for (size_t i = 0; i < TRP_EXCHANGE_GUESTS_MAX; i++) {
    struct trp_exchange_guest *guest = &guests->list[i];
    if (guest->known && guest->address == address) {
      guest->heard_ns = now_ns;
      return guest;
    }
    bool free_place = !guest->known || guest->connections == 0;
    if (free_place && (oldest == NULL ||
                       (oldest->known && (!guest->known || guest->heard_ns < oldest->heard_ns)))) {
      oldest = guest;
    }
  }
  if (oldest == NULL) {
    oldest = &guests->list[address % TRP_EXCHANGE_GUESTS_MAX]; /* two addresses share an account */
    return oldest;
  }
  *oldest = (struct trp_exchange_guest){.known = true, .address = address, .heard_ns = now_ns};
  return oldest;
}

const char *trp_exchange_guest_enter(struct trp_exchange_guest *guest,
                                     const struct trp_exchange_limits *limits, uint64_t now_ns) {
  uint64_t span_ns = limits->attempts_s * TRP_NS_PER_S;
  if (now_ns < guest->exile_ns) {
    return "the address is banned";
  }
  if (guest->attempts == 0 || now_ns - guest->attempts_ns >= span_ns) {
    guest->attempts = 0;
    guest->attempts_ns = now_ns;
  }
  guest->attempts++;
  if (limits->attempts_max != 0 && guest->attempts > limits->attempts_max) {
    return "too many connection attempts";
  }
  if (limits->connections_max != 0 && guest->connections >= limits->connections_max) {
    return "too many connections";
  }
  guest->connections++;
  return NULL;
}

void trp_exchange_guest_leave(struct trp_exchange_guest *guest) {
  guest->connections -= guest->connections > 0;
}

void trp_exchange_guest_offends(struct trp_exchange_guest *guest, uint64_t now_ns) {
  if (guest->offences == 0 ||
      now_ns - guest->offences_ns >= TRP_EXCHANGE_OFFENCES_S * TRP_NS_PER_S) {
    guest->offences = 0;
    guest->offences_ns = now_ns;
  }
  if (++guest->offences > TRP_EXCHANGE_OFFENCES_MAX) {
    guest->offences = 0;
    guest->exile_ns = now_ns + TRP_EXCHANGE_EXILE_S * TRP_NS_PER_S;
  }
}
