#include "runtime/bond.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/actor.h"
#include "runtime/check.h"

struct trp_bond {
  struct trp_bond_end ends[2];
  enum trp_err reason; /* of the end that was over first */
  bool crashed;
};

static pthread_mutex_t all = PTHREAD_MUTEX_INITIALIZER;

/* ---- under the lock ---- */

static struct trp_bond_end *other_of(const struct trp_bond_end *end) {
  struct trp_bond_end *ends = end->bond->ends;
  return end == &ends[0] ? &ends[1] : &ends[0];
}

static void list(struct trp_bond_end *end) {
  end->listed = true;
  end->next = end->actor->bonds;
  if (end->next != NULL) end->next->prev = end;
  end->actor->bonds = end;
}

static void unlist(struct trp_bond_end *end) {
  if (!end->listed) return;
  end->listed = false;
  if (end->prev != NULL) end->prev->next = end->next;
  if (end->prev == NULL) end->actor->bonds = end->next;
  if (end->next != NULL) end->next->prev = end->prev;
  end->next = end->prev = NULL;
}

static void post(struct trp_bond_end *end) {
  end->posted = true;
  trp_actor_post(end->actor, &end->node);
}

static void free_if_done(struct trp_bond *bond) {
  for (int i = 0; i < 2; i++) {
    if (!bond->ends[i].over || bond->ends[i].posted || bond->ends[i].listed) return;
  }
  free(bond);
}

/* From here on it does not close without the lock; false where it has closed. Acquire: its
 * incarnation was set before it was opened. */
static bool hold_open(struct trp_actor *actor) {
  uint8_t open = TRP_BONDS_OPEN;
  return atomic_compare_exchange_strong_explicit(&actor->bonds_state, &open, TRP_BONDS_TIED,
                                                 memory_order_acq_rel, memory_order_acquire) ||
         open == TRP_BONDS_TIED;
}

/* Whose incarnation it is is read once it is held. */
static bool is_open_for(struct trp_actor *actor, uint64_t incarnation) {
  return hold_open(actor) && actor->self.incarnation == incarnation;
}

static struct trp_bond_end *find(struct trp_actor *actor, struct trp_ref peer) {
  for (struct trp_bond_end *end = actor->bonds; end != NULL; end = end->next) {
    const struct trp_bond_end *other = other_of(end);
    if (trp_ref_equal(trp_actor_ref(other->actor, other->incarnation), peer)) return end;
  }
  return NULL;
}

/* ---- lives ---- */

void trp_bonds_open(struct trp_actor *actor) {
  ASSERT(actor->bonds == NULL);
  atomic_store_explicit(&actor->bonds_state, TRP_BONDS_OPEN, memory_order_release);
}

/* The many that are tied to nobody never touch the one lock. */
void trp_bonds_close(struct trp_actor *actor) {
  uint8_t state =
      atomic_exchange_explicit(&actor->bonds_state, TRP_BONDS_CLOSED, memory_order_acq_rel);
  actor->self.tied = state == TRP_BONDS_TIED;
  if (!actor->self.tied) return;
  pthread_mutex_lock(&all);
  for (struct trp_bond_end *end = actor->bonds; end != NULL; end = end->next) {
    end->over = true;
  }
  pthread_mutex_unlock(&all);
}

void trp_bonds_announce(struct trp_actor *actor, enum trp_err reason, bool crashed) {
  if (!actor->self.tied) return;
  pthread_mutex_lock(&all);
  while (actor->bonds != NULL) {
    struct trp_bond_end *end = actor->bonds, *other = other_of(end);
    struct trp_bond *bond = end->bond;
    unlist(end);
    if (!other->over) {
      bond->reason = reason;
      bond->crashed = crashed;
      post(other);
    }
    free_if_done(bond);
  }
  pthread_mutex_unlock(&all);
}

bool trp_bond_read(struct trp_bond_end *end, struct trp_down *down, bool *crashed) {
  pthread_mutex_lock(&all);
  struct trp_bond *bond = end->bond;
  const struct trp_bond_end *other = other_of(end);
  bool news = !end->over;
  end->posted = false;
  if (news) {
    end->over = true;
    unlist(end);
    *down = (struct trp_down){.ref = trp_actor_ref(other->actor, other->incarnation).bits,
                              .incarnation = other->incarnation,
                              .reason = (uint32_t)bond->reason};
    snprintf(down->name, sizeof down->name, "%s", other->actor->name);
    *crashed = bond->crashed;
  }
  free_if_done(bond);
  pthread_mutex_unlock(&all);
  return news;
}

/* ---- tying and untying ---- */

static void tie(struct trp_bond *bond, int i, struct trp_actor *actor, uint64_t incarnation) {
  bond->ends[i] = (struct trp_bond_end){
      .node.kind = TRP_NODE_BOND, .bond = bond, .actor = actor, .incarnation = incarnation};
}

enum trp_err trp_link(struct trp_self *self, struct trp_ref who) {
  struct trp_actor *actor = self->actor, *peer = trp_actor_find(actor->system, who);
  if (peer == NULL) return TRP_NO_ACTOR;
  if (trp_ref_equal(who, trp_self_ref(self))) return TRP_OK;
  struct trp_bond *bond = calloc(1, sizeof *bond);
  if (bond == NULL) return TRP_NO_MEMORY;
  tie(bond, 0, actor, self->incarnation);
  tie(bond, 1, peer, trp_ref_incarnation(who));
  pthread_mutex_lock(&all);
  bool tied = !hold_open(actor) || find(actor, who) != NULL;
  if (!tied) {
    list(&bond->ends[0]);
    if (is_open_for(peer, trp_ref_incarnation(who))) {
      list(&bond->ends[1]);
    } else { /* it is over: that is told at once */
      bond->ends[1].over = true;
      bond->reason = TRP_DEAD;
      bond->crashed = true;
      post(&bond->ends[0]);
    }
  }
  pthread_mutex_unlock(&all);
  if (tied) free(bond); /* twice is once; and in end() there is nothing left to tie */
  return TRP_OK;
}

void trp_unlink(struct trp_self *self, struct trp_ref who) {
  pthread_mutex_lock(&all);
  struct trp_bond_end *end = find(self->actor, who);
  if (end != NULL) {
    struct trp_bond_end *other = other_of(end);
    unlist(end);
    unlist(other);
    end->over = other->over = true;
    free_if_done(end->bond);
  }
  pthread_mutex_unlock(&all);
}
