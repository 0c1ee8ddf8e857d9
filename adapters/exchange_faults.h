/* exchange_faults.h - the faults that the embedded exchange acts out, on order or by seed.
 *
 *   drop           every connection ends at once, without a close frame
 *   expire         every connection is closed with a close frame, as after its longest life
 *   gap            one update of every book is told to nobody: followers need a new snapshot
 *   shutdown:MS    those connected are told that the exchange goes away (Binance, Gate.io), and are
 *                  closed after that time
 *   stall:MS       nothing is read, written or answered; sockets stay open
 *   silence:MS     connections stay and no WebSocket frame is sent; HTTP is still answered
 *   half-open:MS   those connected are neither read nor written, and cut at the end; newcomers fare
 *                  well
 *   refuse:MS      new connections and requests are cut at once
 *   garbage:MS     now and then something unreadable is sent in a data frame's place
 *   reorder:MS     now and then a data frame comes after the next one of its channel
 *   duplicate:MS   now and then a data frame comes twice
 *   429:MS 418:MS  requests are refused with that status and Retry-After
 *   mixed:SEED:MS  a schedule of all these, drawn from the seed, none of which outlasts it
 *
 * Those that last end by themselves; ordered again, they last from then on. Thread: the slot's. */
#ifndef TRP_ADAPTERS_EXCHANGE_FAULTS_H
#define TRP_ADAPTERS_EXCHANGE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trp_exchange_fault {
  TRP_EXCHANGE_STALL,
  TRP_EXCHANGE_SILENCE,
  TRP_EXCHANGE_HALF_OPEN,
  TRP_EXCHANGE_REFUSE,
  TRP_EXCHANGE_GARBAGE,
  TRP_EXCHANGE_REORDER,
  TRP_EXCHANGE_DUPLICATE,
  TRP_EXCHANGE_429,
  TRP_EXCHANGE_418,
  TRP_EXCHANGE_SHUTDOWN,
  TRP_EXCHANGE_FAULTS
};

struct trp_exchange_faults {
  uint64_t until_ns[TRP_EXCHANGE_FAULTS];
  uint64_t chance; /* of the frames that garbage, reorder and duplicate choose */
  uint64_t mixed_chance, mixed_until_ns, mixed_next_ns;
};

struct trp_exchange;

/* Acts out a fault; what happens now, in words, or NULL where it is none of this exchange's. */
const char *trp_exchange_fault_act(struct trp_exchange *exchange, const char *text);

/* Begins the next fault of a mixed schedule where it is due. */
void trp_exchange_fault_next(struct trp_exchange *exchange);

/* When a fault ends or the next of a schedule begins; UINT64_MAX for never. */
uint64_t trp_exchange_fault_due(const struct trp_exchange *exchange);

/* "silence:1200 mixed:5000" or "none". */
void trp_exchange_fault_list(const struct trp_exchange *exchange, char *out, size_t size);

/* One in `n`, drawn from the faults' own chance. */
bool trp_exchange_fault_draw(struct trp_exchange *exchange, uint32_t n);

#endif
