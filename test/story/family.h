/* family.h - a tree of supervisors and members in simulation, and its diary.
 *
 * Every start and end is written down as it happens: "+name1" the first incarnation started,
 * "!name2" the second failed to start, "-name1" the first is over. A start of somebody who is still
 * alive ends the test. One family at a time: a kind's end() has no way to ask for another. */
#ifndef TRP_TEST_FAMILY_H
#define TRP_TEST_FAMILY_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "actors/supervisor.h"
#include "runtime/report.h"
#include "runtime/sim.h"

enum { CRASH = TRP_USER_FIRST, LEAVE, FAMILY_MAX = 64, DIARY_BYTES = 1 << 16 };
#define MS TRP_NS_PER_MS

/* What a member does of its own; set at any time, also before it is born. */
struct manner {
  uint32_t failing_starts; /* so many of its next starts fail */
  uint32_t early_crashes;  /* so many of its next lives crash as soon as they run */
  bool holds;              /* never ready to end when stopped */
  bool crashes_stopping;
};

struct family {
  struct trp_system *system;
  struct trp_supervisor_options options[FAMILY_MAX];
  struct manner manners[FAMILY_MAX];
  const char *names[FAMILY_MAX], *parents[FAMILY_MAX];
  uint32_t alive[FAMILY_MAX]; /* lives of a slot at the same time */
  uint32_t count;
  bool ordered;      /* an operator restarts who he likes: later siblings may be alive */
  const char *wrong; /* what must never be and was */
  char diary[DIARY_BYTES];
  size_t used;
};

void family_open(struct family *f, uint64_t seed);
void family_add_supervisor(struct family *f, const char *name, const char *parent,
                           enum trp_strategy strategy, struct trp_restart_policy policy,
                           uint32_t budget_ms);
void family_add(struct family *f, const char *name, const char *parent,
                struct trp_restart_policy policy); /* budget and turn's limit 100 ms */
void family_start(struct family *f);               /* and the diary begins anew */
const struct trp_report *family_stop(struct family *f);
const struct trp_report *family_wait(struct family *f); /* for one that stops by itself */
void family_close(struct family *f);
int family_clear(void **state); /* a teardown: nothing of a failed test goes on */

struct manner *family_manner(struct family *f, const char *name);
void family_tell(struct family *f, const char *name, uint16_t what);
void family_break(struct family *f, const char *name); /* a supervisor crashes by a fault */
void family_stall(struct family *f, const char *name, uint64_t ns);
void family_pass(struct family *f, uint64_t ns);
enum trp_err family_order(struct family *f, const char *supervisor, const char *verb,
                          const char *name);

struct trp_actor_info family_look(struct family *f, const char *name);
/* The diary is exactly this after `ms`; then it begins anew. */
void family_tells(struct family *f, uint64_t ms, const char *diary);
bool family_said(const struct family *f, const char *words);
size_t family_place(const struct family *f, const char *words); /* fails where they are missing */
void family_forget(struct family *f);

#endif
