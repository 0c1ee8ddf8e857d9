#include "runtime/budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/phrase.h"
#include "runtime/plan.h"

enum {
  MARGIN_MS = 2000,           /* for the account, within the outer limit */
  LIMIT_MS_MAX = 86400 * 1000 /* a day */
};

uint32_t trp_budget_within(uint32_t budget_ms, uint32_t outer_limit_ms) {
  if (outer_limit_ms == 0) return budget_ms;
  uint32_t margin = outer_limit_ms < 2 * MARGIN_MS ? outer_limit_ms / 2 : MARGIN_MS;
  uint32_t most = outer_limit_ms - margin;
  return budget_ms < most ? budget_ms : most;
}

/* ---- the environment ---- */

static bool read_ms(const char *text, uint32_t *out) {
  uint64_t number = 0;
  for (const char *at = text; *at != '\0'; at++) {
    if (*at < '0' || *at > '9') return false;
    number = number * 10 + (uint64_t)(*at - '0');
    if (number > LIMIT_MS_MAX) return false;
  }
  if (number == 0) return false; /* also where no digit came */
  *out = (uint32_t)number;
  return true;
}

static enum trp_err take(const char *variable, uint32_t *out, char *why, size_t why_bytes) {
  const char *text = getenv(variable);
  if (text == NULL || *out != 0 || read_ms(text, out)) return TRP_OK;
  snprintf(why, why_bytes,
           "%s is '%.40s' in the environment, and takes milliseconds from 1 to %d: correct it, or "
           "unset it for the default",
           variable, text, LIMIT_MS_MAX);
  return TRP_INVALID;
}

enum trp_err trp_options_from_environment(struct trp_system_options *options, char *why,
                                          size_t why_bytes) {
  enum trp_err err = take("TRP_STOP_BUDGET_MS", &options->budget_ms, why, why_bytes);
  if (err != TRP_OK) return err;
  return take("TRP_OUTER_LIMIT_MS", &options->outer_limit_ms, why, why_bytes);
}

/* ---- the longest path ---- */

static const struct trp_actor *longest_member(struct trp_system *system, struct trp_plan *plan,
                                              uint32_t component) {
  const struct trp_order *order = &plan->order;
  const struct trp_actor *longest = NULL;
  for (uint32_t m = order->members_from[component]; m < order->members_from[component + 1]; m++) {
    const struct trp_actor *a = trp_slots_at(&system->slots, order->members[m]);
    if (longest == NULL || trp_spec_of(a)->budget_ms > trp_spec_of(longest)->budget_ms) longest = a;
  }
  return longest;
}

/* "source 2000 -> sink 2000 ms", first to last, though the plan knows it from the end. Where it is
 * too long for the text its end is cut. */
static void put_path(struct trp_phrase *p, struct trp_system *system, struct trp_plan *plan) {
  uint32_t length = 0;
  for (uint32_t c = plan->last; c != TRP_PLAN_NONE; c = plan->via[c]) length++;
  for (uint32_t step = length; step-- > 0;) {
    uint32_t c = plan->last;
    for (uint32_t back = 0; back < step; back++) c = plan->via[c];
    const struct trp_actor *a = longest_member(system, plan, c);
    trp_phrase_text(p, a->name);
    trp_phrase_char(p, ' ');
    trp_phrase_u64(p, trp_spec_of(a)->budget_ms);
    trp_phrase_text(p, step > 0 ? " -> " : " ms");
  }
}

static void put_ms(struct trp_phrase *p, const char *before, uint64_t ms, const char *after) {
  trp_phrase_text(p, before);
  trp_phrase_u64(p, ms);
  trp_phrase_text(p, after);
}

static bool judge(struct trp_system *system, struct trp_plan *plan, struct trp_phrase *p) {
  const struct trp_system_options *o = &system->options;
  uint64_t needs_ms = (plan->longest_ns + TRP_NS_PER_MS - 1) / TRP_NS_PER_MS;
  bool long_path = needs_ms > o->budget_ms, cut = system->budget_asked_ms > o->budget_ms;
  if (cut) {
    put_ms(p, "the budget asked for, ", system->budget_asked_ms, " ms, ");
    put_ms(p, "does not fit the outer limit of ", o->outer_limit_ms, " ms: ");
    put_ms(p, "it is cut to ", o->budget_ms, " ms; ");
  }
  put_ms(p, "the longest way to stop takes ", needs_ms, " ms with grace, ");
  put_ms(p, long_path ? "which does not fit the " : "which fits the ", o->budget_ms,
         " ms there are: ");
  if (plan->last == TRP_PLAN_NONE) {
    trp_phrase_text(p, "there are no actors");
  } else {
    put_path(p, system, plan);
  }
  return !long_path && !cut;
}

enum trp_err trp_system_check(struct trp_system *system, char *sentence, size_t sentence_bytes) {
  struct trp_plan plan;
  uint32_t count = atomic_load_explicit(&system->slots.count, memory_order_acquire);
  uint32_t *budgets = calloc((size_t)count + 1, sizeof *budgets);
  if (budgets == NULL) return TRP_NO_MEMORY;
  for (uint32_t i = 0; i < count; i++) {
    budgets[i] = trp_spec_of(trp_slots_at(&system->slots, i))->budget_ms;
  }
  enum trp_err err = trp_plan_make(&plan, &system->graph, count, budgets,
                                   system->options.budget_ms * TRP_NS_PER_MS);
  free(budgets);
  if (err != TRP_OK) return err;
  struct trp_phrase phrase;
  trp_phrase_init(&phrase, sentence, sentence_bytes);
  bool fits = judge(system, &plan, &phrase);
  trp_plan_fini(&plan);
  return fits ? TRP_OK : TRP_LIMIT;
}

enum trp_err trp_budget_check_start(struct trp_system *system) {
  char sentence[sizeof system->failure];
  enum trp_err err = trp_system_check(system, sentence, sizeof sentence);
  if (err != TRP_LIMIT) return err;
  bool strict = system->options.strict_budget;
  trp_system_log(system, "system", strict ? TRP_LOG_ERROR : TRP_LOG_WARN, "budget.does_not_fit",
                 "reason=\"%s\"", sentence);
  if (!strict) return TRP_OK;
  pthread_mutex_lock(&system->reason_lock);
  memcpy(system->failure, sentence, sizeof sentence);
  pthread_mutex_unlock(&system->reason_lock);
  return TRP_LIMIT;
}
