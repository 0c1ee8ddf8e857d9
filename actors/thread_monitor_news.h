/* thread_monitor_news.h - how the thread monitor tells: in the journal under the name of who it is
 * about, and to the event engine. Thread: the monitor's turns. */
#ifndef TRP_ACTORS_THREAD_MONITOR_NEWS_H
#define TRP_ACTORS_THREAD_MONITOR_NEWS_H

#include "actors/publisher.h"

struct trp_monitor_news {
  struct trp_publisher publisher;
  bool published; /* there is an event engine */
};

/* `events` is the engine's name; NULL: nobody but the journal is told. */
TRP_MUST_USE enum trp_err trp_monitor_news_start(struct trp_monitor_news *news,
                                                 struct trp_self *self, const char *events);

void trp_monitor_news_tell(struct trp_monitor_news *news, struct trp_self *self, const char *about,
                           uint16_t type, const void *body, size_t bytes);

/* The stack of a thread that is no actor's, or what the kernel knows where it does not answer. */
void trp_monitor_stack(int tid, char *out, size_t bytes);

#endif
