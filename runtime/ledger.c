/* ledger.c - the sums of an account, and the test whether it balances. */
#include <string.h>

#include "runtime/ledger.h"
#include "runtime/process.h"

uint64_t trp_ledger_refused(const struct trp_ledger *ledger) {
  uint64_t sum = 0;
  for (int i = 0; i < TRP_REFUSED_COUNT; i++) sum += ledger->refused[i];
  return sum;
}

uint64_t trp_ledger_dead(const struct trp_ledger *ledger) {
  uint64_t sum = 0;
  for (int i = 0; i < TRP_LOST_COUNT; i++) sum += ledger->dead[i];
  return sum;
}

bool trp_ledger_balances(const struct trp_ledger *l) {
  return l->offered == l->accepted + trp_ledger_refused(l) &&
         l->accepted == l->handled + l->evicted + l->conflated + trp_ledger_dead(l) + l->pending;
}

void trp_ledger_add(struct trp_ledger *sum, const struct trp_ledger *l) {
  sum->offered += l->offered;
  sum->accepted += l->accepted;
  for (int i = 0; i < TRP_REFUSED_COUNT; i++) sum->refused[i] += l->refused[i];
  sum->handled += l->handled;
  sum->evicted += l->evicted;
  sum->conflated += l->conflated;
  for (int i = 0; i < TRP_LOST_COUNT; i++) sum->dead[i] += l->dead[i];
  sum->pending += l->pending;
}

void trp_ledger_read(struct trp_actor *a, struct trp_ledger *out) {
  memset(out, 0, sizeof *out);
  /* What has come out is read before what has gone in, so that a reader beside running threads
   * never sees more handled than accepted. */
  out->handled = atomic_load_explicit(&a->handled, memory_order_acquire);
  for (int i = 0; i < TRP_LOST_COUNT; i++) {
    out->dead[i] = atomic_load_explicit(&a->dead[i], memory_order_acquire);
  }
  for (int i = 0; i < TRP_REFUSED_COUNT; i++) {
    out->refused[i] = atomic_load_explicit(&a->refused[i], memory_order_relaxed);
  }
  struct trp_mailbox_totals totals;
  trp_mailbox_totals(&a->mailbox, &totals);
  out->accepted = totals.accepted;
  out->evicted = totals.evicted;
  out->conflated = totals.conflated;
  /* Pending is counted in the mailbox, not derived, so that the balance can fail. */
  out->pending = a->mailbox.ops->depth(&a->mailbox);
  if (a->process != NULL) out->pending += trp_process_in_link(a->process);
  out->offered = out->accepted + trp_ledger_refused(out);
}
