/* The queue is a ring of tokens of asks. An ask that ends by itself tells nobody but its asker, so
 * the limiter looks: before it grants, before it says FULL, and while others wait behind the first,
 * every 10 ms at that first one, which alone can hold them up in vain. */
#include "actors/rate_limiter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/token_bucket.h"
#include "runtime/system.h"

enum { QUEUE_DEFAULT = 1024, QUEUE_LIMIT = 65536 };

#define LOOK_NS (10 * TRP_NS_PER_MS)

struct waiter {
  uint64_t token; /* of the ask */
  uint32_t weight;
};

struct limiter {
  struct trp_rate_limiter_options options; /* defaults filled in */
  struct trp_token_bucket bucket;
  struct waiter *queue;
  uint32_t first, count;
  uint64_t timer;
  struct {
    uint64_t granted, weight; /* requests, and what they weighed */
    uint64_t full, invalid, stopped, gone;
  } counts;
};

static void answer(struct trp_self *self, uint64_t token, enum trp_err status) {
  if (token == 0) return;
  struct trp_result result = {.status = (uint32_t)status};
  snprintf(result.text, sizeof result.text, "%s", status == TRP_OK ? "" : trp_err_text(status));
  trp_reply(self, token, TRP_RESULT, &result, sizeof result);
}

/* ---- the queue ---- */

static struct waiter *waiter_at(struct limiter *l, uint32_t i) {
  return &l->queue[(l->first + i) % l->options.queue_max];
}

static void remove_first(struct limiter *l) {
  l->first = (l->first + 1) % l->options.queue_max;
  l->count--;
}

static bool is_wanted(struct trp_self *self, const struct waiter *waiter) {
  return trp_ask_waits(&trp_self_system(self)->asks, waiter->token);
}

/* Closes up over all who wait no more. */
static void forget_the_gone(struct trp_self *self, struct limiter *l) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < l->count; i++) {
    if (is_wanted(self, waiter_at(l, i))) *waiter_at(l, kept++) = *waiter_at(l, i);
  }
  l->counts.gone += l->count - kept;
  l->count = kept;
}

/* ---- granting ---- */

/* True where the first in the queue is done with; else *wait_ns says when to try again. */
static bool serve_first(struct trp_self *self, struct limiter *l, uint64_t *wait_ns) {
  static const struct trp_result granted = {.status = TRP_OK};
  const struct waiter *first = waiter_at(l, 0);
  if (!is_wanted(self, first)) {
    l->counts.gone++;
    return true;
  }
  *wait_ns = trp_token_bucket_wait_ns(&l->bucket, first->weight);
  if (*wait_ns > 0) return false;
  enum trp_err err = trp_reply(self, first->token, TRP_RESULT, &granted, sizeof granted);
  if (err == TRP_NO_MEMORY) {
    *wait_ns = LOOK_NS;
    return false;
  }
  if (err != TRP_OK) { /* gone since we looked: nothing is spent */
    l->counts.gone++;
    return true;
  }
  trp_token_bucket_spend(&l->bucket, first->weight);
  l->counts.granted++;
  l->counts.weight += first->weight;
  return true;
}

static enum trp_err serve(struct trp_self *self, struct limiter *l) {
  uint64_t wait_ns = 0;
  trp_token_bucket_flow(&l->bucket, trp_now_ns(self));
  while (l->count > 0 && serve_first(self, l, &wait_ns)) remove_first(l);
  trp_timer_cancel(self, l->timer);
  l->timer = 0;
  if (l->count == 0) return TRP_OK;
  if (l->count > 1 && wait_ns > LOOK_NS) wait_ns = LOOK_NS;
  return trp_timer_start(self, wait_ns, 0, 0, &l->timer);
}

static enum trp_err take(struct trp_self *self, struct limiter *l, const struct trp_msg *msg) {
  const struct trp_rate_take *wish = trp_msg_rate_take(msg);
  if (trp_self_stopping(self)) {
    l->counts.stopped++;
    answer(self, msg->token, TRP_STOPPED);
    return TRP_OK;
  }
  /* Without a token there is nobody to tell, and nothing to be granted. */
  if (wish == NULL || msg->token == 0 || wish->weight == 0 || wish->weight > l->options.burst) {
    l->counts.invalid++;
    answer(self, msg->token, TRP_INVALID);
    return TRP_OK;
  }
  if (l->count == l->options.queue_max) forget_the_gone(self, l);
  if (l->count == l->options.queue_max) {
    l->counts.full++;
    answer(self, msg->token, TRP_FULL);
    return TRP_OK;
  }
  *waiter_at(l, l->count++) = (struct waiter){.token = msg->token, .weight = wish->weight};
  return serve(self, l);
}

enum trp_err trp_rate_take(struct trp_self *self, struct trp_ref limiter, uint32_t weight,
                           uint64_t timeout_ns, uint64_t *correlation) {
  struct trp_rate_take wish = {.weight = weight};
  return trp_ask(self, limiter, TRP_RATE_TAKE, &wish, sizeof wish, timeout_ns, correlation);
}

/* ---- the operator ---- */

static void summarise(struct trp_self *self, struct limiter *l, char *text, size_t bytes) {
  trp_token_bucket_flow(&l->bucket, trp_now_ns(self));
  forget_the_gone(self, l);
  snprintf(text, bytes,
           "rate=%" PRIu32 "/%" PRIu32 "ms burst=%" PRIu32 " level=%" PRIu32 " waiting=%" PRIu32
           " granted=%" PRIu64 " weight=%" PRIu64 " gone=%" PRIu64 " full=%" PRIu64
           " invalid=%" PRIu64 " stopped=%" PRIu64,
           l->options.rate, l->options.period_ms, l->options.burst,
           trp_token_bucket_level(&l->bucket), l->count, l->counts.granted, l->counts.weight,
           l->counts.gone, l->counts.full, l->counts.invalid, l->counts.stopped);
}

static void obey(struct trp_self *self, struct limiter *l, const struct trp_msg *msg) {
  const struct trp_operator *word = trp_msg_operator(msg);
  bool known = word != NULL && strcmp(word->text, "stats") == 0;
  struct trp_result result = {.status = known ? TRP_OK : TRP_INVALID};
  snprintf(result.text, sizeof result.text, "it knows one word: stats");
  if (known) summarise(self, l, result.text, sizeof result.text);
  if (msg->token != 0) {
    trp_reply(self, msg->token, TRP_RESULT, &result, sizeof result);
  } else if (known) {
    trp_log(self, TRP_LOG_INFO, "rate_limiter.stats", "%s", result.text);
  }
}

/* ---- the kind ---- */

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct limiter *l = state;
  if (args == NULL) return TRP_INVALID;
  struct trp_rate_limiter_options *o = &l->options;
  *o = *(const struct trp_rate_limiter_options *)args;
  if (o->period_ms == 0) o->period_ms = 1000;
  if (o->burst == 0) o->burst = o->rate;
  if (o->queue_max == 0) o->queue_max = QUEUE_DEFAULT;
  if (o->queue_max > QUEUE_LIMIT) return TRP_INVALID;
  bool filled = trp_self_incarnation(self) == 1;
  enum trp_err err = trp_token_bucket_init(&l->bucket, o->rate, o->period_ms * TRP_NS_PER_MS,
                                           o->burst, filled, trp_now_ns(self));
  if (err != TRP_OK) return err;
  l->queue = calloc(o->queue_max, sizeof *l->queue);
  return l->queue != NULL ? TRP_OK : TRP_NO_MEMORY;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct limiter *l = state;
  switch (msg->type) {
    case TRP_RATE_TAKE:
      return take(self, l, msg);
    case TRP_TIMER:
      return serve(self, l);
    case TRP_OPERATOR:
      obey(self, l, msg);
      return TRP_OK;
    default:
      answer(self, msg->token, TRP_UNKNOWN_TYPE);
      return TRP_OK;
  }
}

static void stop(struct trp_self *self, void *state) {
  struct limiter *l = state;
  for (; l->count > 0; remove_first(l)) {
    l->counts.stopped++;
    answer(self, waiter_at(l, 0)->token, TRP_STOPPED);
  }
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  free(((struct limiter *)state)->queue);
}

const struct trp_kind trp_rate_limiter_kind = {.name = "rate_limiter",
                                               .state_bytes = sizeof(struct limiter),
                                               .start = start,
                                               .receive = receive,
                                               .stop = stop,
                                               .end = end};
