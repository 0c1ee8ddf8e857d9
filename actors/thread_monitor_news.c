#include "actors/thread_monitor_news.h"

#include "runtime/stack.h"
#include "runtime/system.h"

#define STACK_WAIT_NS (20 * TRP_NS_PER_MS)

enum trp_err trp_monitor_news_start(struct trp_monitor_news *news, struct trp_self *self,
                                    const char *events) {
  news->published = events != NULL;
  return news->published ? trp_publisher_start(self, &news->publisher, events) : TRP_OK;
}

void trp_monitor_news_tell(struct trp_monitor_news *news, struct trp_self *self, const char *about,
                           uint16_t type, const void *body, size_t bytes) {
  trp_system_journal_put(trp_self_system(self), about, type, body, bytes);
  if (news->published) trp_publish(self, &news->publisher, type, body, bytes);
}

void trp_monitor_stack(int tid, char *out, size_t bytes) {
  struct trp_stack stack;
  if (trp_stack_of_thread(tid, STACK_WAIT_NS, &stack) == TRP_OK) {
    trp_stack_text(&stack, out, bytes);
  } else {
    trp_stack_proc_state(tid, out, bytes);
  }
}
