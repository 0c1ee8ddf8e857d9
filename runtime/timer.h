/* timer.h - the timers of one incarnation: a binary heap by due time, then by order of starting.
 *
 * Timers never cross threads: they fire in their owner's own turns, and the scheduler only asks
 * when the next one is due. The deadline of an ask is an entry of its own kind. Bounded. Thread:
 * owner. */
#ifndef TRP_RUNTIME_TIMER_H
#define TRP_RUNTIME_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

enum { TRP_TIMERS_MAX = 65536 };

enum trp_timer_kind {
  TRP_TIMER_USER,
  TRP_TIMER_ASK, /* an ask's deadline */
  TRP_TIMER_CUT, /* the end of a stop alone */
  TRP_TIMER_ASKS /* while stopping: who has not answered by now is waited for no more */
};

struct trp_timer_entry {
  uint64_t due_ns;
  uint64_t id; /* rises with each start: the order among equals */
  uint64_t period_ns;
  uint64_t tag; /* the user's; of an ask its token */
  enum trp_timer_kind kind;
};

struct trp_timers {
  struct trp_timer_entry *heap;
  uint32_t count, room; /* at most TRP_TIMERS_MAX */
  uint64_t last_id;
};

TRP_MUST_USE enum trp_err trp_timers_add(struct trp_timers *timers, struct trp_timer_entry entry,
                                         uint64_t *id);

/* True and *out where a timer is due; a periodic one is set again, after `now_ns`. */
bool trp_timers_take_due(struct trp_timers *timers, uint64_t now_ns, struct trp_timer_entry *out);

bool trp_timers_remove(struct trp_timers *timers, uint64_t id);
bool trp_timers_remove_ask(struct trp_timers *timers, uint64_t token);
void trp_timers_remove_user(struct trp_timers *timers);       /* all of the user's */
uint64_t trp_timers_next_ns(const struct trp_timers *timers); /* UINT64_MAX: none */
size_t trp_timers_count(const struct trp_timers *timers, enum trp_timer_kind kind);
void trp_timers_fini(struct trp_timers *timers);

#endif
