/* A system that stops when its scope ends, whichever way it is left: what was sent before is
 * handled first, and nothing of it remains. */
#include <stdio.h>

#include "runtime/troupe.h"

enum { COUNT = TRP_USER_FIRST };

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  int *counted = state;
  (void)self;
  if (msg->type == COUNT) ++*counted;
  return TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)reason;
  printf("%s: counted to %d and stopped\n", trp_self_name(self), *(int *)state);
}

static enum trp_err count_to(int n) {
  static const struct trp_kind counter = {"counter", sizeof(int), .receive = receive, .end = end};
  TRP_SCOPED_SYSTEM system = NULL;
  enum trp_err err = trp_system_new(&system, &(struct trp_system_options){.name = "scope"});
  if (err) return err;
  err = trp_system_add(system, &(struct trp_spec){.name = "counter", .kind = &counter});
  if (!err) err = trp_system_start(system, NULL, 0);
  struct trp_ref counting = err ? TRP_NOBODY : trp_system_whereis(system, "counter");
  for (int i = 0; i < n && !err; i++) err = trp_system_send(system, counting, COUNT, NULL, 0);
  printf("the scope of %d ends\n", n);
  return err; /* here the system stops */
}

int main(void) {
  enum trp_err err = count_to(3);
  if (!err) err = count_to(5);
  printf("everything has stopped\n");
  return err ? 1 : 0;
}
