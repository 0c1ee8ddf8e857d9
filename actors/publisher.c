#include "actors/publisher.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum trp_err trp_publisher_start(struct trp_self *self, struct trp_publisher *p,
                                 const char *engine) {
  memset(p, 0, sizeof *p);
  p->engine = trp_whereis(self, engine); /* at once: its UP comes only after this turn */
  return trp_watch(self, engine, &p->watch);
}

static void lose(struct trp_publisher *p, enum trp_err why) {
  if (p->lost++ == 0) p->why = why;
}

/* True where there is no gap to tell, or it has been told. */
static bool tell_gap(struct trp_self *self, struct trp_publisher *p) {
  if (p->lost == 0 && !p->died) return true;
  struct trp_event_gap gap = {.lost = p->lost, .reason = (uint32_t)p->why};
  snprintf(gap.publisher, sizeof gap.publisher, "%s", trp_self_name(self));
  if (trp_send(self, p->engine, TRP_EVENT_GAP, &gap, sizeof gap) != TRP_OK) return false;
  trp_journal(self, TRP_EVENT_GAP, &gap, sizeof gap);
  trp_log(self, TRP_LOG_WARN, "publisher.gap", "lost=%" PRIu64 " reason=%s", p->lost,
          trp_err_name(p->why));
  p->lost = 0;
  p->died = false;
  return true;
}

void trp_publish(struct trp_self *self, struct trp_publisher *p, uint16_t type, const void *body,
                 size_t bytes) {
  if (trp_ref_is_nobody(p->engine)) {
    lose(p, TRP_DEAD);
    return;
  }
  if (!tell_gap(self, p)) {
    lose(p, p->why);
    return;
  }
  enum trp_err err = trp_send(self, p->engine, type, body, bytes);
  if (err == TRP_OK) p->published++;
  if (err != TRP_OK) lose(p, err);
}

bool trp_publisher_take(struct trp_self *self, struct trp_publisher *p, const struct trp_msg *msg) {
  const struct trp_up *up = trp_msg_up(msg);
  const struct trp_down *down = trp_msg_down(msg);
  if (up != NULL && up->monitor == p->watch) {
    p->engine.bits = up->ref;
    tell_gap(self, p);
    return true;
  }
  if (down == NULL || down->monitor != p->watch) return false;
  p->engine = TRP_NOBODY;
  p->died = true; /* mail it had accepted died with it, so there is a gap even if lost stays 0 */
  if (p->lost == 0) p->why = TRP_DEAD;
  return true;
}
