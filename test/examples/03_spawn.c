/* 03_spawn.c - a sum by division of labour: a clerk spawns a worker for each part, tells it what to
 * add up, and asks nobody how it went: the answers come as messages, and the workers are gone. */
#include <inttypes.h>
#include <stdio.h>

#include "runtime/troupe.h"

enum { COUNT = TRP_USER_FIRST, PART, SUM, PARTS = 1000, EACH = 1000 };

struct part {
  uint64_t from, to;
  struct trp_ref clerk;
};

static enum trp_err work(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type != PART) return TRP_OK;
  const struct part *part = msg->body;
  uint64_t sum = 0;
  for (uint64_t n = part->from; n < part->to; n++) sum += n;
  trp_exit(self); /* this turn is the last; the slot serves the next worker */
  return trp_send(self, part->clerk, SUM, &sum, sizeof sum);
}

static const struct trp_kind worker = {.name = "worker", .receive = work};

struct clerk {
  uint64_t token, sum, heard;
};

static enum trp_err hire(struct trp_self *self) {
  struct trp_spec spec = {.kind = &worker, .placement = TRP_POOL, .mailbox = {.capacity = 2}};
  spec.restart.restart = TRP_TEMPORARY;
  for (uint64_t i = 0; i < PARTS; i++) {
    struct part part = {.from = i * EACH, .to = (i + 1) * EACH, .clerk = trp_self_ref(self)};
    struct trp_ref ref;
    enum trp_err err = trp_spawn(self, &spec, &ref);
    if (err == TRP_OK) err = trp_send(self, ref, PART, &part, sizeof part);
    if (err != TRP_OK) return err;
  }
  return TRP_OK;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct clerk *clerk = state;
  if (msg->type == COUNT) {
    clerk->token = msg->token; /* answered when all parts are there */
    return hire(self);
  }
  if (msg->type != SUM) return TRP_OK;
  clerk->sum += *(const uint64_t *)msg->body;
  if (++clerk->heard < PARTS) return TRP_OK;
  return trp_reply(self, clerk->token, SUM, &clerk->sum, sizeof clerk->sum);
}

int main(void) {
  static const struct trp_kind kind = {"clerk", sizeof(struct clerk), .receive = receive};
  struct trp_system *system = NULL;
  enum trp_err err = trp_system_new(&system, &(struct trp_system_options){.name = "spawn"});
  if (!err) err = trp_system_add(system, &(struct trp_spec){.name = "clerk", .kind = &kind});
  if (!err) err = trp_system_start(system, NULL, 0);
  uint64_t sum = 0;
  size_t bytes = sizeof sum;
  struct trp_ref clerk = err ? TRP_NOBODY : trp_system_whereis(system, "clerk");
  if (!err) {
    err = trp_system_ask(system, clerk, COUNT, NULL, 0, 10 * TRP_NS_PER_S, NULL, &sum, &bytes);
  }
  printf("%s: %d workers: %" PRIu64 "\n", trp_err_name(err), PARTS, sum);
  trp_system_destroy(&system);
  return err ? 1 : 0;
}
