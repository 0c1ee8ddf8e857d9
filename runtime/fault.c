#include "runtime/fault.h"

#include <string.h>
#include <time.h>

#include "runtime/fault_text.h"
#include "runtime/system.h"

/* Not inlined: the stack of a stalled or crashed actor is to show these names. */
__attribute__((noinline)) static void injected_stall(uint64_t ms) {
  struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
  /* Deaf on purpose: this plays an actor that never returns. */
  while (nanosleep(&left, &left) != 0) continue;
}

__attribute__((noinline)) static void injected_panic(void) { trp_panic("ordered by the operator"); }

__attribute__((noinline)) static void injected_exit(void) { pthread_exit(NULL); }

/* Control lets no such text pass; an actor of the house may send one. */
static void refuse(struct trp_actor *actor, const struct trp_msg *msg) {
  struct trp_result no = {.status = TRP_INVALID, .text = "stall:MS takes 1 to 86400000"};
  trp_log(&actor->self, TRP_LOG_WARN, "fault.refused", "fault=\"%s\"", trp_msg_fault(msg)->text);
  if (msg->token != 0) (void)trp_reply(&actor->self, msg->token, TRP_RESULT, &no, sizeof no);
}

enum trp_err trp_fault_obey(struct trp_actor *actor, const struct trp_msg *msg, bool *acted) {
  const struct trp_fault *fault = trp_msg_fault(msg);
  if (fault == NULL || !actor->system->options.allow_faults) {
    *acted = true; /* refused silently: who ordered it was told by control */
    return TRP_OK;
  }
  *acted = true;
  if (strcmp(fault->text, "panic") == 0) injected_panic();
  if (strcmp(fault->text, "error") == 0) return TRP_INJECTED;
  if (strcmp(fault->text, "exit") == 0 && actor->system->options.sched == TRP_SCHED_THREADS) {
    injected_exit();
  }
  bool stall = strncmp(fault->text, "stall:", 6) == 0;
  if (stall && !trp_spec_of(actor)->kind->own_stall) {
    uint64_t ms;
    if (!trp_fault_timed(fault->text, "stall", &ms)) {
      refuse(actor, msg);
    } else if (actor->system->options.sched == TRP_SCHED_THREADS) {
      injected_stall(ms);
    }
    return TRP_OK;
  }
  *acted = false;
  return TRP_OK;
}
