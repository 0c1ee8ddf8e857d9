#include "test/story/family.h"

#include <stdio.h>
#include <string.h>

static struct family *family;
static struct trp_kind speaking_supervisor;

/* ---- the diary ---- */

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  struct family *f = family;
  va_list args;
  va_start(args, format);
  int n = vsnprintf(f->diary + f->used, DIARY_BYTES - f->used, format, args);
  va_end(args);
  if (n > 0 && f->used + (size_t)n < DIARY_BYTES) f->used += (size_t)n;
}

void family_forget(struct family *f) {
  f->used = 0;
  f->diary[0] = '\0';
}

bool family_said(const struct family *f, const char *words) {
  return strstr(f->diary, words) != NULL;
}

size_t family_place(const struct family *f, const char *words) {
  const char *at = strstr(f->diary, words);
  if (at == NULL) fail_msg("\"%s\" is not in \"%s\"", words, f->diary);
  return (size_t)(at - f->diary);
}

void family_tells(struct family *f, uint64_t ms, const char *diary) {
  family_pass(f, ms * MS);
  assert_string_equal(f->diary, diary);
  family_forget(f);
}

/* ---- lives ---- */

static uint32_t place_of(struct trp_self *self) {
  return (uint32_t)(trp_self_ref(self).bits >> 40) - 1;
}

static unsigned long long life_of(struct trp_self *self) { return trp_self_incarnation(self); }

/* Where the parent keeps an order, nobody may start while one that comes after it is alive. */
static void check_order(struct family *f, uint32_t i) {
  if (f->parents[i] == NULL || f->ordered) return;
  uint32_t parent = 0;
  while (strcmp(f->names[parent], f->parents[i]) != 0) parent++;
  if (f->options[parent].strategy == TRP_ONE_FOR_ONE) return;
  for (uint32_t k = i + 1; k < f->count; k++) {
    bool sibling = strcmp(f->parents[k], f->parents[i]) == 0;
    if (sibling && f->alive[k] > 0) f->wrong = "one started before a later sibling was over";
  }
}

static void begin(struct trp_self *self, const char *sign) {
  struct family *f = family;
  uint32_t i = place_of(self);
  say("%s%s%llu ", sign, trp_self_name(self), life_of(self));
  if (++f->alive[i] > 1) f->wrong = "two incarnations at the same time";
  check_order(f, i);
}

static void over(struct trp_self *self) {
  say("-%s%llu ", trp_self_name(self), life_of(self));
  family->alive[place_of(self)]--;
}

static enum trp_err start_member(struct trp_self *self, void *state, const void *args) {
  (void)state;
  (void)args;
  struct manner *manner = &family->manners[place_of(self)];
  bool fails = manner->failing_starts > 0;
  begin(self, fails ? "!" : "+");
  if (fails) manner->failing_starts--;
  if (fails) return TRP_REFUSED;
  if (manner->early_crashes == 0) return TRP_OK;
  manner->early_crashes--;
  return trp_timer_start(self, 0, 0, 0, NULL);
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type == CRASH || msg->type == TRP_TIMER) trp_panic("on order");
  if (msg->type == LEAVE) trp_exit(self);
  return TRP_OK;
}

static void stop_member(struct trp_self *self, void *state) {
  (void)state;
  const struct manner *manner = &family->manners[place_of(self)];
  if (manner->crashes_stopping) trp_panic("while stopping");
  if (manner->holds) trp_stop_hold(self);
}

static void end_member(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)state;
  (void)reason;
  over(self);
}

static const struct trp_kind member = {.name = "member",
                                       .start = start_member,
                                       .receive = receive,
                                       .stop = stop_member,
                                       .end = end_member};

static enum trp_err start_supervisor(struct trp_self *self, void *state, const void *args) {
  begin(self, "+");
  return trp_supervisor_kind.start(self, state, args);
}

static void end_supervisor(struct trp_self *self, void *state, enum trp_end_reason reason) {
  trp_supervisor_kind.end(self, state, reason);
  over(self);
}

/* ---- the house ---- */

void family_open(struct family *f, uint64_t seed) {
  memset(f, 0, sizeof *f);
  family = f;
  speaking_supervisor = trp_supervisor_kind;
  speaking_supervisor.start = start_supervisor;
  speaking_supervisor.end = end_supervisor;
  struct trp_system_options options = {
      .name = "family", .sched = TRP_SCHED_SIM, .seed = seed, .allow_faults = true, .log_fd = -1};
  assert_int_equal(trp_system_new(&f->system, &options), TRP_OK);
}

static void add(struct family *f, struct trp_spec *spec) {
  assert_true(f->count < FAMILY_MAX);
  f->names[f->count] = spec->name;
  f->parents[f->count++] = spec->supervisor;
  spec->turn_limit_ms = 100;
  assert_int_equal(trp_system_add(f->system, spec), TRP_OK);
}

void family_add_supervisor(struct family *f, const char *name, const char *parent,
                           enum trp_strategy strategy, struct trp_restart_policy policy,
                           uint32_t budget_ms) {
  f->options[f->count].strategy = strategy;
  add(f, &(struct trp_spec){.name = name,
                            .kind = &speaking_supervisor,
                            .args = &f->options[f->count],
                            .supervisor = parent,
                            .restart = policy,
                            .budget_ms = budget_ms});
}

void family_add(struct family *f, const char *name, const char *parent,
                struct trp_restart_policy policy) {
  add(f, &(struct trp_spec){.name = name,
                            .kind = &member,
                            .supervisor = parent,
                            .restart = policy,
                            .start_timeout_ms = 100,
                            .budget_ms = 100});
}

void family_start(struct family *f) {
  char failure[256];
  enum trp_err err = trp_system_start(f->system, failure, sizeof failure);
  if (err != TRP_OK) fail_msg("start: %s: %s", trp_err_name(err), failure);
  family_forget(f);
}

const struct trp_report *family_wait(struct family *f) {
  assert_int_equal(trp_system_wait(f->system, 60 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(f->system);
  assert_true(report->balanced);
  if (f->wrong != NULL) fail_msg("%s: \"%s\"", f->wrong, f->diary);
  return report;
}

const struct trp_report *family_stop(struct family *f) {
  trp_system_stop(f->system, "the story is over");
  return family_wait(f);
}

/* With an abandoned actor a system is leaked on purpose: kept in view of the leak finder. */
static struct trp_system *volatile kept[1024]; /* volatile: nobody reads it */

static void destroy(struct family *f) {
  static size_t next;
  kept[next++ % (sizeof kept / sizeof *kept)] = f->system;
  trp_system_destroy(&f->system);
}

void family_close(struct family *f) {
  destroy(f);
  if (f->wrong != NULL) fail_msg("%s: \"%s\"", f->wrong, f->diary);
}

int family_clear(void **state) {
  (void)state;
  if (family != NULL && family->system != NULL) destroy(family);
  return 0;
}

/* ---- acting ---- */

static uint32_t find(struct family *f, const char *name) {
  for (uint32_t i = 0; i < f->count; i++) {
    if (strcmp(f->names[i], name) == 0) return i;
  }
  fail_msg("nobody is called %s", name);
  return 0;
}

struct manner *family_manner(struct family *f, const char *name) {
  return &f->manners[find(f, name)];
}

struct trp_actor_info family_look(struct family *f, const char *name) {
  struct trp_actor_info info;
  assert_true(trp_system_actor(f->system, find(f, name), &info));
  return info;
}

void family_tell(struct family *f, const char *name, uint16_t what) {
  struct trp_ref to = trp_system_whereis(f->system, name);
  (void)!trp_system_send(f->system, to, what, NULL, 0); /* it may be down */
}

void family_break(struct family *f, const char *name) {
  struct trp_ref to = trp_system_whereis(f->system, name);
  (void)!trp_system_send(f->system, to, TRP_FAULT, &(struct trp_fault){.text = "panic"},
                         sizeof(struct trp_fault));
}

void family_stall(struct family *f, const char *name, uint64_t ns) {
  trp_sim_stall(f->system, trp_system_whereis(f->system, name), ns);
}

void family_pass(struct family *f, uint64_t ns) { trp_sim_run_for(f->system, ns); }

enum trp_err family_order(struct family *f, const char *supervisor, const char *verb,
                          const char *name) {
  struct trp_child_command order = {.verb = ""};
  snprintf(order.verb, sizeof order.verb, "%s", verb);
  snprintf(order.name, sizeof order.name, "%s", name);
  struct trp_result result = {.status = TRP_PANIC};
  uint16_t type = 0;
  size_t bytes = sizeof result;
  enum trp_err err =
      trp_system_ask(f->system, trp_system_whereis(f->system, supervisor), TRP_CHILD_COMMAND,
                     &order, sizeof order, 10 * TRP_NS_PER_S, &type, &result, &bytes);
  return err != TRP_OK ? err : (enum trp_err)result.status;
}
