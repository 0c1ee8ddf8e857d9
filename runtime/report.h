/* report.h - the account of a stop: who was asked, what was drained and dropped, how long it took,
 * what is left behind. Filled by the coordinator, printed as a table or as JSON.
 *
 * The report belongs to its system. Printing allocates nothing and every write has a deadline, so
 * that it also works when the process is about to leave with a stuck thread. */
#ifndef TRP_RUNTIME_REPORT_H
#define TRP_RUNTIME_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/troupe.h"

enum trp_verdict { /* the worst one is the system's; the order is that of severity */
                   TRP_VERDICT_CLEAN,
                   TRP_VERDICT_LATE,
                   TRP_VERDICT_LEFT_BEHIND,
                   TRP_VERDICT_UNBALANCED,
                   TRP_VERDICT_GAVE_UP,
                   TRP_VERDICT_KILLED,
                   TRP_VERDICT_ABANDONED
};

struct trp_report_actor {
  char name[TRP_NAME_MAX + 1];
  char verdict[96]; /* "clean", "late", "cut short by NAME", "abandoned", "held up by NAME" ... */
  uint64_t drained, dropped;
  uint64_t elapsed_ns;
  uint64_t deadline_ns; /* from the pill */
  struct trp_ledger ledger;
  int64_t held[TRP_RES_COUNT];
  bool abandoned, killed, late;
  char stack[1536]; /* where abandoned */
};

struct trp_report {
  char system[TRP_NAME_MAX + 1];
  char reason[160]; /* why it stopped */
  enum trp_verdict verdict;
  uint64_t elapsed_ns, budget_ns;
  bool balanced, gave_up;
  struct trp_ledger ledger;
  int64_t left_behind[TRP_RES_COUNT];
  struct trp_report_actor *actors; /* those spawned are one entry, but for the noteworthy */
  size_t actor_count, room;
};

const char *trp_verdict_text(enum trp_verdict verdict);
int trp_verdict_status(enum trp_verdict verdict); /* the exit status of a program */

/* The report of a system that has stopped, borrowed until destroy; NULL before. Thread: any. */
const struct trp_report *trp_system_report(struct trp_system *system);

/* Adds what the process as a whole has too many of (descriptors), and judges again. */
void trp_report_add_left(struct trp_report *report, enum trp_resource what, int64_t count);

/* Recomputes totals and the verdict from the actors. */
void trp_report_judge(struct trp_report *report);

/* Errors: TIMEOUT, CLOSED, SYSTEM: a part may be out. */
enum trp_err trp_report_table(const struct trp_report *report, int fd, uint64_t timeout_ns);
enum trp_err trp_report_json(const struct trp_report *report, int fd, uint64_t timeout_ns);

#endif
