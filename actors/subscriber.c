#include "actors/subscriber.h"

#include <stdio.h>
#include <string.h>

enum trp_err trp_subscriber_start(struct trp_self *self, struct trp_subscriber *s,
                                  const char *engine) {
  memset(s, 0, sizeof *s);
  return trp_watch(self, engine, &s->watch);
}

static enum trp_err send_wish(struct trp_self *self, struct trp_subscriber *s, uint32_t i) {
  return trp_send(self, s->engine, TRP_SUBSCRIBE, &s->wishes[i], sizeof s->wishes[i]);
}

enum trp_err trp_subscriber_add(struct trp_self *self, struct trp_subscriber *s, uint32_t event,
                                uint32_t symbol) {
  if (s->wish_count == TRP_WISHES_MAX) return TRP_LIMIT;
  s->wishes[s->wish_count] = (struct trp_subscribe){.event = event, .symbol = symbol};
  s->wish_count++;
  return trp_ref_is_nobody(s->engine) ? TRP_OK : send_wish(self, s, s->wish_count - 1);
}

enum trp_err trp_subscriber_remove(struct trp_self *self, struct trp_subscriber *s, uint32_t event,
                                   uint32_t symbol) {
  for (uint32_t i = 0; i < s->wish_count; i++) {
    if (s->wishes[i].event != event || s->wishes[i].symbol != symbol) continue;
    struct trp_unsubscribe back = {.event = event, .symbol = symbol};
    s->wishes[i] = s->wishes[--s->wish_count];
    if (trp_ref_is_nobody(s->engine)) return TRP_OK;
    return trp_send(self, s->engine, TRP_UNSUBSCRIBE, &back, sizeof back);
  }
  return TRP_NO_ACTOR;
}

static void engine_came(struct trp_self *self, struct trp_subscriber *s) {
  uint32_t sent = 0;
  for (uint32_t i = 0; i < s->wish_count; i++) sent += send_wish(self, s, i) == TRP_OK;
  bool again = s->was_up;
  s->was_up = true;
  if (sent < s->wish_count) {
    trp_log(self, TRP_LOG_WARN, "subscriber.refused", "wishes=%u sent=%u", s->wish_count, sent);
  }
  if (!again) return;
  s->restored++;
  struct trp_restored event = {.subscriptions = sent};
  snprintf(event.subscriber, sizeof event.subscriber, "%s", trp_self_name(self));
  trp_journal(self, TRP_RESTORED, &event, sizeof event);
  trp_log(self, TRP_LOG_INFO, "subscriptions.restored", "count=%u", sent);
}

bool trp_subscriber_take(struct trp_self *self, struct trp_subscriber *s,
                         const struct trp_msg *msg) {
  const struct trp_up *up = trp_msg_up(msg);
  const struct trp_down *down = trp_msg_down(msg);
  if (up != NULL && up->monitor == s->watch) {
    s->engine.bits = up->ref;
    engine_came(self, s);
    return true;
  }
  if (down == NULL || down->monitor != s->watch) return false;
  s->engine = TRP_NOBODY;
  return true;
}
