#include "runtime/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/deadline.h"
#include "runtime/json.h"
#include "runtime/ledger.h"
#include "runtime/write.h"

static const char *const VERDICTS[] = {
    "clean", "late", "left something behind", "unbalanced", "gave up", "killed", "abandoned"};
static const int STATUSES[] = {0, 3, 4, 5, 6, 1, 1};
static const char *const RESOURCES[TRP_RES_COUNT] = {
    "threads", "descriptors", "sockets", "timers", "asks", "subscriptions", "processes"};

const char *trp_verdict_text(enum trp_verdict verdict) { return VERDICTS[verdict]; }
int trp_verdict_status(enum trp_verdict verdict) { return STATUSES[verdict]; }

static void worsen(struct trp_report *report, enum trp_verdict verdict) {
  if (verdict > report->verdict) report->verdict = verdict;
}

static void judge_left(struct trp_report *report) {
  for (int r = 0; r < TRP_RES_COUNT; r++) {
    if (report->left_behind[r] != 0) worsen(report, TRP_VERDICT_LEFT_BEHIND);
  }
}

void trp_report_judge(struct trp_report *report) {
  report->verdict = TRP_VERDICT_CLEAN;
  report->balanced = true;
  memset(&report->ledger, 0, sizeof report->ledger);
  memset(report->left_behind, 0, sizeof report->left_behind);
  for (size_t i = 0; i < report->actor_count; i++) {
    const struct trp_report_actor *a = &report->actors[i];
    trp_ledger_add(&report->ledger, &a->ledger);
    bool pending = a->ledger.pending != 0 && !a->abandoned;
    if (pending || (!a->abandoned && !trp_ledger_balances(&a->ledger))) report->balanced = false;
    for (int r = 0; r < TRP_RES_COUNT; r++) report->left_behind[r] += a->held[r];
    if (a->abandoned) worsen(report, TRP_VERDICT_ABANDONED);
    if (a->killed) worsen(report, TRP_VERDICT_KILLED);
    if (a->late) worsen(report, TRP_VERDICT_LATE);
  }
  if (!report->balanced) worsen(report, TRP_VERDICT_UNBALANCED);
  if (report->gave_up) worsen(report, TRP_VERDICT_GAVE_UP);
  judge_left(report);
}

void trp_report_add_left(struct trp_report *report, enum trp_resource what, int64_t count) {
  report->left_behind[what] += count;
  judge_left(report);
}

/* ---- as a table ---- */

struct table {
  int fd;
  uint64_t deadline_ns;
  enum trp_err error;
};

__attribute__((format(printf, 2, 3))) static void line(struct table *t, const char *format, ...) {
  char text[2048];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (t->error != TRP_OK || n < 0) return;
  size_t bytes = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
  t->error = trp_write_all(t->fd, text, bytes, t->deadline_ns);
}

static void actor_line(struct table *t, const struct trp_report_actor *a) {
  line(t, "  %-16s %-24s %10.3f %9.0f %9llu %8llu %12llu %12llu\n", a->name, a->verdict,
       (double)a->elapsed_ns / 1e6, (double)a->deadline_ns / 1e6, (unsigned long long)a->drained,
       (unsigned long long)a->dropped, (unsigned long long)a->ledger.accepted,
       (unsigned long long)a->ledger.handled);
  if (a->stack[0] != '\0') line(t, "      stack: %s\n", a->stack);
  for (int r = 0; r < TRP_RES_COUNT; r++) {
    if (a->held[r] != 0)
      line(t, "      left behind: %lld %s\n", (long long)a->held[r], RESOURCES[r]);
  }
}

static void sums(struct table *t, const struct trp_report *report) {
  const struct trp_ledger *l = &report->ledger;
  line(t,
       "  ledger: offered %llu = accepted %llu + refused %llu; accepted = handled %llu + evicted "
       "%llu + conflated %llu + dead %llu + pending %llu: %s\n",
       (unsigned long long)l->offered, (unsigned long long)l->accepted,
       (unsigned long long)trp_ledger_refused(l), (unsigned long long)l->handled,
       (unsigned long long)l->evicted, (unsigned long long)l->conflated,
       (unsigned long long)trp_ledger_dead(l), (unsigned long long)l->pending,
       report->balanced ? "balanced" : "OUT OF BALANCE");
  bool any = false;
  for (int r = 0; r < TRP_RES_COUNT; r++) any = any || report->left_behind[r] != 0;
  if (!any) line(t, "  left behind: nothing\n");
  for (int r = 0; r < TRP_RES_COUNT; r++) {
    if (report->left_behind[r] == 0) continue;
    line(t, "  left behind: %lld %s\n", (long long)report->left_behind[r], RESOURCES[r]);
  }
}

enum trp_err trp_report_table(const struct trp_report *report, int fd, uint64_t timeout_ns) {
  struct table t = {.fd = fd, .deadline_ns = trp_deadline_in(timeout_ns)};
  line(&t, "\n%s stopped: %s, in %.3f ms of %.0f ms (%s)\n", report->system,
       trp_verdict_text(report->verdict), (double)report->elapsed_ns / 1e6,
       (double)report->budget_ns / 1e6, report->reason);
  line(&t, "  %-16s %-24s %10s %9s %9s %8s %12s %12s\n", "actor", "verdict", "took ms", "limit ms",
       "drained", "dropped", "accepted", "handled");
  for (size_t i = 0; i < report->actor_count; i++) actor_line(&t, &report->actors[i]);
  sums(&t, report);
  return t.error;
}

/* ---- as JSON ---- */

static void json_ledger(struct trp_json *j, const struct trp_ledger *l) {
  trp_json_object_begin(j, "ledger");
  trp_json_u64(j, "offered", l->offered);
  trp_json_u64(j, "accepted", l->accepted);
  trp_json_u64(j, "refused", trp_ledger_refused(l));
  trp_json_u64(j, "handled", l->handled);
  trp_json_u64(j, "evicted", l->evicted);
  trp_json_u64(j, "conflated", l->conflated);
  trp_json_u64(j, "dead", trp_ledger_dead(l));
  trp_json_u64(j, "pending", l->pending);
  trp_json_object_end(j);
}

static void json_left(struct trp_json *j, const char *key, const int64_t *counts) {
  trp_json_object_begin(j, key);
  for (int r = 0; r < TRP_RES_COUNT; r++) trp_json_i64(j, RESOURCES[r], counts[r]);
  trp_json_object_end(j);
}

static void json_actor(struct trp_json *j, const struct trp_report_actor *a) {
  trp_json_object_begin(j, NULL);
  trp_json_string(j, "name", a->name);
  trp_json_string(j, "verdict", a->verdict);
  trp_json_u64(j, "drained", a->drained);
  trp_json_u64(j, "dropped", a->dropped);
  trp_json_f64(j, "elapsed_ms", (double)a->elapsed_ns / 1e6);
  trp_json_f64(j, "deadline_ms", (double)a->deadline_ns / 1e6);
  json_ledger(j, &a->ledger);
  json_left(j, "left_behind", a->held);
  if (a->abandoned) trp_json_string(j, "stack", a->stack);
  trp_json_object_end(j);
}

enum trp_err trp_report_json(const struct trp_report *report, int fd, uint64_t timeout_ns) {
  char buffer[4096];
  struct trp_json j;
  struct trp_json_file file = {.fd = fd, .deadline_ns = trp_deadline_in(timeout_ns)};
  trp_json_init(&j, buffer, sizeof buffer, trp_json_flush_file, &file);
  trp_json_object_begin(&j, NULL);
  trp_json_string(&j, "system", report->system);
  trp_json_string(&j, "verdict", trp_verdict_text(report->verdict));
  trp_json_string(&j, "reason", report->reason);
  trp_json_f64(&j, "elapsed_ms", (double)report->elapsed_ns / 1e6);
  trp_json_f64(&j, "budget_ms", (double)report->budget_ns / 1e6);
  trp_json_bool(&j, "balanced", report->balanced);
  json_ledger(&j, &report->ledger);
  json_left(&j, "left_behind", report->left_behind);
  trp_json_array_begin(&j, "actors");
  for (size_t i = 0; i < report->actor_count; i++) json_actor(&j, &report->actors[i]);
  trp_json_array_end(&j);
  trp_json_object_end(&j);
  trp_json_newline(&j);
  return trp_json_finish(&j);
}
