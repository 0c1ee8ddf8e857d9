/* storm_guest.c - those who are spawned in a storm: they stay a little, leave or crash, and their
 * slot and their memory serve the next. */
#include <string.h>

#include "test/story/storm.h"

struct guest {
  struct storm *s;
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct guest *g = state;
  memcpy(&g->s, args, sizeof g->s);
  if (!storm_life_begin(g->s, self)) return TRP_LIMIT;
  return trp_timer_start(self, trp_random(self) % (20 * TRP_NS_PER_MS), 0, 0, NULL);
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct guest *g = state;
  if (storm_is_over(g->s, trp_self_ref(self))) storm_fault(g->s, "a guest's turn outside of life");
  if (msg->type == STORM_WORK || msg->type == STORM_QUESTION) {
    const struct storm_work *work = msg->body;
    if (work->to != trp_self_ref(self).bits) storm_fault(g->s, "mail reached another guest");
  }
  uint64_t chance = trp_random(self) % 16;
  if (msg->type == TRP_TIMER || chance < 2) trp_exit(self);
  return chance == 2 ? TRP_INJECTED : TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  storm_life_end(((struct guest *)state)->s, self, reason);
}

const struct trp_kind storm_guest_kind = {.name = "guest",
                                          .state_bytes = sizeof(struct guest),
                                          .start = start,
                                          .receive = receive,
                                          .end = end};
