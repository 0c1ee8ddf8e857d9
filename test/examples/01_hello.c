#include <stdio.h>

#include "runtime/troupe.h"

enum { GREET = TRP_USER_FIRST };

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  int *greeted = state; /* this incarnation's own, zero at its start */
  const char *me = trp_self_name(self);
  if (msg->type == GREET) printf("%s: %d: hello, %s\n", me, ++*greeted, (const char *)msg->body);
  return TRP_OK;
}

int main(void) {
  static const struct trp_kind greeter = {"greeter", sizeof(int), .receive = receive};
  struct trp_system *system = NULL;
  enum trp_err err = trp_system_new(&system, &(struct trp_system_options){.name = "hello"});
  if (!err) err = trp_system_add(system, &(struct trp_spec){.name = "host", .kind = &greeter});
  if (!err) err = trp_system_start(system, NULL, 0);
  struct trp_ref host = err ? TRP_NOBODY : trp_system_whereis(system, "host");
  if (!err) err = trp_system_send(system, host, GREET, "world", sizeof "world");
  trp_system_destroy(&system); /* stops, but first handles what was sent */
  return err ? 1 : 0;
}
