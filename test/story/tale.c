#include "test/story/tale.h"

#include <string.h>

enum { KEPT_MAX = 4 * TALE_SEEDS };
static struct trp_system *volatile kept[KEPT_MAX]; /* leaked on purpose: still reachable */
static size_t kept_count;

void tale_open(struct tale *t, uint64_t seed) {
  memset(t, 0, sizeof *t);
  t->seed = seed;
  struct trp_system_options options = {.name = "tale",
                                       .sched = TRP_SCHED_SIM,
                                       .seed = seed,
                                       .budget_ms = 3000,
                                       .actors_max = 8,
                                       .log_fd = -1};
  assert_int_equal(trp_system_new(&t->system, &options), TRP_OK);
}

void tale_add(struct tale *t, const char *name, const struct trp_kind *kind, const char *supervisor,
              uint32_t budget_ms) {
  struct trp_spec spec = {.name = name,
                          .kind = kind,
                          .args = t,
                          .supervisor = supervisor,
                          .budget_ms = budget_ms,
                          .start_timeout_ms = 50};
  assert_int_equal(trp_system_add(t->system, &spec), TRP_OK);
}

void tale_start(struct tale *t) { assert_int_equal(trp_system_start(t->system, NULL, 0), TRP_OK); }

void tale_send(struct tale *t, const char *name, uint16_t type) {
  struct trp_ref to = trp_system_whereis(t->system, name);
  assert_int_equal(trp_system_send(t->system, to, type, NULL, 0), TRP_OK);
}

const struct trp_report *tale_stop(struct tale *t) {
  trp_system_stop(t->system, "the tale is told");
  assert_int_equal(trp_system_wait(t->system, 10 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(t->system);
  assert_true(report->balanced);
  for (int r = 0; r < TRP_RES_COUNT && report->verdict != TRP_VERDICT_ABANDONED; r++) {
    assert_int_equal(report->left_behind[r], 0);
  }
  return report;
}

void tale_close(struct tale *t) {
  const struct trp_report *report = trp_system_report(t->system);
  bool left = report != NULL && report->verdict == TRP_VERDICT_ABANDONED;
  if (left && kept_count < KEPT_MAX) kept[kept_count++] = t->system;
  trp_system_destroy(&t->system);
}

const char *tale_verdict(struct tale *t, const char *name) {
  const struct trp_report *report = trp_system_report(t->system);
  for (size_t i = 0; i < report->actor_count; i++) {
    if (strcmp(report->actors[i].name, name) == 0) return report->actors[i].verdict;
  }
  return "nobody";
}

void tale_tell(void (*story)(struct tale *t)) {
  for (uint64_t seed = 1; seed <= TALE_SEEDS; seed++) {
    static struct tale t;
    seeds_note(seed);
    tale_open(&t, seed);
    story(&t);
    tale_close(&t);
  }
  seeds_note(0);
}

enum trp_err tale_begin(struct trp_self *self, void *state, const void *args) {
  (void)self;
  memcpy(state, &args, sizeof args);
  return TRP_OK;
}

static enum trp_err ignore(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  (void)msg;
  return TRP_OK;
}

const struct trp_kind tale_parent_kind = {.name = "parent", .receive = ignore};
