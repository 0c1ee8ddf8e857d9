#include "actors/supervisor_news.h"

#include <stdlib.h>
#include <string.h>

static void forget_oldest(struct trp_supervisor_news *news) {
  free(news->items[0].body);
  news->count--;
  memmove(&news->items[0], &news->items[1], news->count * sizeof news->items[0]);
}

static void keep(struct trp_supervisor_news *news, struct trp_ref ended, uint16_t type,
                 const void *body, size_t bytes) {
  if (news->count == TRP_SUPERVISOR_NEWS_MAX) {
    forget_oldest(news);
    news->lost++;
  }
  void *copy = malloc(bytes);
  if (copy == NULL) {
    news->lost++;
    return;
  }
  memcpy(copy, body, bytes);
  news->items[news->count++] = (struct trp_supervisor_news_item){
      .type = type, .ended = ended, .bytes = (uint32_t)bytes, .body = copy};
}

static bool send_on(struct trp_self *self, struct trp_ref engine, struct trp_ref ended,
                    uint16_t type, const void *body, size_t bytes) {
  if (trp_send(self, engine, type, body, bytes) != TRP_OK) return false;
  if (!trp_ref_is_nobody(ended)) trp_child_note_end(self, ended);
  return true;
}

/* An earlier incarnation of this supervisor has told it. */
static bool is_told(struct trp_self *self, struct trp_ref ended) {
  struct trp_child child;
  return !trp_ref_is_nobody(ended) && trp_child_look(self, ended, &child) && child.end_noted &&
         trp_ref_equal(child.ref, ended);
}

static void hand_over(struct trp_self *self, struct trp_supervisor_news *news) {
  while (news->count > 0) {
    const struct trp_supervisor_news_item *item = &news->items[0];
    if (!send_on(self, news->engine, item->ended, item->type, item->body, item->bytes)) return;
    forget_oldest(news);
  }
}

void trp_supervisor_news_tell(struct trp_self *self, struct trp_supervisor_news *news,
                              struct trp_ref ended, uint16_t type, const void *body, size_t bytes) {
  if (is_told(self, ended)) return;
  bool up = !trp_ref_is_nobody(news->engine);
  if (up) hand_over(self, news); /* after a full mailbox: the older first */
  if (up && news->count == 0 && send_on(self, news->engine, ended, type, body, bytes)) return;
  keep(news, ended, type, body, bytes);
}

void trp_supervisor_news_engine(struct trp_self *self, struct trp_supervisor_news *news,
                                struct trp_ref engine) {
  news->engine = engine;
  if (!trp_ref_is_nobody(engine)) hand_over(self, news);
}

void trp_supervisor_news_fini(struct trp_supervisor_news *news) {
  while (news->count > 0) forget_oldest(news);
}
