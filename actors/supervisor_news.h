/* supervisor_news.h - what a supervisor hears of its children, handed on to the event engine.
 *
 * What the engine cannot take yet (it is down, or its mailbox is full) is kept, oldest first and
 * bounded, and handed over when it comes up: subscribers hear of the engine's own death too.
 * The end of a child is told once: when the engine has it, that is noted in the child's slot, and a
 * later incarnation of the supervisor, which hears of the same end again, does not tell it again.
 * Belongs to the supervisor's incarnation. Thread: owner. */
#ifndef TRP_ACTORS_SUPERVISOR_NEWS_H
#define TRP_ACTORS_SUPERVISOR_NEWS_H

#include "runtime/troupe.h"

enum { TRP_SUPERVISOR_NEWS_MAX = 64 };

struct trp_supervisor_news_item {
  uint16_t type;
  struct trp_ref ended; /* the child whose end it tells; TRP_NOBODY: tells no end */
  uint32_t bytes;
  void *body;
};

struct trp_supervisor_news {
  struct trp_ref engine;
  struct trp_supervisor_news_item items[TRP_SUPERVISOR_NEWS_MAX]; /* oldest first */
  uint32_t count;
  uint64_t lost;
};

/* Sends it on, or keeps it. `ended`: the life whose end it tells, TRP_NOBODY for other news. */
void trp_supervisor_news_tell(struct trp_self *self, struct trp_supervisor_news *news,
                              struct trp_ref ended, uint16_t type, const void *body, size_t bytes);

/* The engine lives (what was kept goes to it), or is TRP_NOBODY. */
void trp_supervisor_news_engine(struct trp_self *self, struct trp_supervisor_news *news,
                                struct trp_ref engine);

void trp_supervisor_news_fini(struct trp_supervisor_news *news);

#endif
