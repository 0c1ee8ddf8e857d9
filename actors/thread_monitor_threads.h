/* thread_monitor_threads.h - the thread monitor's look at the process's threads.
 *
 * Who is on the register and has ended or vanished is told of: a foreign thread, or one of the
 * runtime's that is no actor's, as THREAD_CRASHED, once; an actor's that vanished is handed to the
 * coordinator, which makes it that actor's crash, so that its supervisor has it back. Foreign ones
 * that fall silent are ACTOR_STALLED. Who is neither on the register nor known by name is logged.
 *
 * Belongs to the monitor's incarnation; needs no releasing. Thread: the monitor's turns. */
#ifndef TRP_ACTORS_THREAD_MONITOR_THREADS_H
#define TRP_ACTORS_THREAD_MONITOR_THREADS_H

#include "actors/thread_monitor_news.h"

enum { TRP_MONITOR_KNOWN_MAX = 64 };

/* A thread of which something has been, or is to be, told once. */
struct trp_monitor_known {
  int tid;
  uint32_t looks; /* in how many it was seen */
  bool seen;      /* in this one */
};

struct trp_monitor_known_set {
  struct trp_monitor_known items[TRP_MONITOR_KNOWN_MAX];
  uint32_t count;
};

struct trp_monitor_threads {
  size_t tasks; /* the kernel's count when strangers were last looked for; 0: look again */
  uint32_t foreign, unknown; /* as of the last look */
  struct trp_monitor_known_set strangers, silent;
};

/* One look. `stacks_left` bounds how many stacks are taken in it. */
void trp_monitor_threads_look(struct trp_monitor_threads *threads, struct trp_self *self,
                              struct trp_monitor_news *news, uint64_t beat_limit_ms,
                              uint32_t *stacks_left);

/* One line of the log at level debug for each on the register, and of the others by name. */
void trp_monitor_threads_log(struct trp_self *self);

#endif
