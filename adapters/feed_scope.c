#include "adapters/feed_scope.h"

#include <stdio.h>
#include <string.h>

enum { LIVE_MS = 10000, CLOSE_MS = 3000, LOOK_MS = 10 };

static const char *const usual_drain[] = {"event_engine", NULL};

/* ---- waiting ------------------------------------------------------------------------------ */

static uint64_t left_ns(const struct trp_feed_scope *scope, uint64_t deadline_ns) {
  uint64_t now = trp_system_now_ns(scope->system);
  return deadline_ns > now ? deadline_ns - now : 0;
}

/* A moment; false where the time is over, or the system. */
static bool pause_until(struct trp_feed_scope *scope, uint64_t deadline_ns) {
  uint64_t left = left_ns(scope, deadline_ns), moment = LOOK_MS * TRP_NS_PER_MS;
  if (left == 0) return false;
  return trp_system_wait(scope->system, left < moment ? left : moment) == TRP_TIMEOUT;
}

/* ---- asking ------------------------------------------------------------------------------- */

static enum trp_err ask(struct trp_feed_scope *scope, uint16_t type, const void *body, size_t bytes,
                        uint64_t deadline_ns, uint16_t expected, void *answer, size_t size) {
  uint16_t got = 0;
  struct trp_ref feed = trp_system_whereis(scope->system, scope->options.feed);
  enum trp_err err = trp_system_ask(scope->system, feed, type, body, bytes,
                                    left_ns(scope, deadline_ns), &got, answer, &size);
  return err == TRP_OK && got != expected ? TRP_INVALID : err;
}

static enum trp_err command(struct trp_feed_scope *scope, const char *verb, uint64_t deadline_ns) {
  struct trp_feed_command order = {0};
  struct trp_result result = {0};
  snprintf(order.verb, sizeof order.verb, "%s", verb);
  enum trp_err err = ask(scope, TRP_FEED_COMMAND, &order, sizeof order, deadline_ns, TRP_RESULT,
                         &result, sizeof result);
  return err != TRP_OK ? err : (enum trp_err)result.status;
}

static enum trp_err look(struct trp_feed_scope *scope, uint64_t deadline_ns) {
  struct trp_feed_query query = {0};
  return ask(scope, TRP_FEED_QUERY, &query, sizeof query, deadline_ns, TRP_FEED_STATE,
             &scope->state, sizeof scope->state);
}

enum trp_err trp_feed_scope_look(struct trp_feed_scope *scope) {
  return look(scope, trp_system_now_ns(scope->system) + TRP_NS_PER_S);
}

/* ---- connecting --------------------------------------------------------------------------- */

static enum trp_err wait_until_live(struct trp_feed_scope *scope, uint64_t deadline_ns) {
  do {
    enum trp_err err = look(scope, deadline_ns);
    if (err != TRP_OK) return err;
    if (scope->state.state == TRP_FEED_LIVE) return TRP_OK;
  } while (pause_until(scope, deadline_ns));
  return left_ns(scope, deadline_ns) == 0 ? TRP_TIMEOUT : TRP_STOPPED;
}

struct trp_feed_scope trp_feed_scope(struct trp_system *system,
                                     const struct trp_feed_scope_options *options) {
  struct trp_feed_scope scope = {.err = TRP_INVALID, .system = system, .options = *options};
  if (options->feed == NULL) return scope;
  if (scope.options.drain == NULL) scope.options.drain = usual_drain;
  if (scope.options.live_ms == 0) scope.options.live_ms = LIVE_MS;
  if (scope.options.close_ms == 0) scope.options.close_ms = CLOSE_MS;
  uint64_t deadline = trp_system_now_ns(system) + scope.options.live_ms * TRP_NS_PER_MS;
  scope.err = command(&scope, "connect", deadline);
  /* After a time-out it may have been heard all the same. */
  scope.open = scope.err == TRP_OK || scope.err == TRP_TIMEOUT;
  if (scope.err == TRP_OK) scope.err = wait_until_live(&scope, deadline);
  return scope;
}

/* ---- ending ------------------------------------------------------------------------------- */

/* What it has taken in all; false where something waits or is in hand. */
static bool is_quiet(struct trp_system *system, const char *name, uint64_t *accepted) {
  struct trp_actor_info info;
  for (size_t i = 0; trp_system_actor(system, i, &info); i++) {
    if (strcmp(info.name, name) != 0) continue;
    *accepted += info.ledger.accepted;
    return info.ledger.pending == 0 && info.depth == 0 && info.turns % 2 == 0;
  }
  return true;
}

/* Twice in a row nothing waits and nothing has come between: then nothing is on its way either,
 * because the feed, first of them, produces no more. */
static enum trp_err drain(struct trp_feed_scope *scope, uint64_t deadline_ns) {
  uint64_t before = UINT64_MAX;
  do {
    uint64_t accepted = 0;
    bool quiet = is_quiet(scope->system, scope->options.feed, &accepted);
    for (const char *const *name = scope->options.drain; *name != NULL; name++)
      quiet &= is_quiet(scope->system, *name, &accepted);
    if (quiet && accepted == before) return TRP_OK;
    before = quiet ? accepted : UINT64_MAX;
  } while (pause_until(scope, deadline_ns));
  return left_ns(scope, deadline_ns) == 0 ? TRP_TIMEOUT : TRP_OK;
}

/* One that is between two lives is told in its next. One that stops disconnects by itself. */
static enum trp_err disconnect(struct trp_feed_scope *scope, uint64_t deadline_ns) {
  enum trp_err err;
  do {
    err = command(scope, "disconnect", deadline_ns);
  } while ((err == TRP_NO_ACTOR || err == TRP_DEAD) && pause_until(scope, deadline_ns));
  bool stopped = err == TRP_STOPPED || trp_system_wait(scope->system, 0) == TRP_OK;
  return stopped ? TRP_OK : err;
}

enum trp_err trp_feed_scope_end(struct trp_feed_scope *scope) {
  if (!scope->open) return scope->end_err;
  uint64_t deadline = trp_system_now_ns(scope->system) + scope->options.close_ms * TRP_NS_PER_MS;
  scope->open = false;
  scope->end_err = disconnect(scope, deadline);
  if (scope->end_err == TRP_OK) scope->end_err = drain(scope, deadline);
  return scope->end_err;
}

void trp_feed_scope_leave(struct trp_feed_scope *scope) {
  if (!scope->open || trp_feed_scope_end(scope) == TRP_OK) return;
  trp_system_log(scope->system, scope->options.feed, TRP_LOG_WARN, "feed_scope.end", "error=%s",
                 trp_err_name(scope->end_err));
}
