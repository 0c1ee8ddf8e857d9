#include "test/unit/exchange_bench.h"

#include <stdio.h>
#include <string.h>

#include "adapters/json_lejp.h"

void bench_open(struct bench *bench, const struct trp_exchange_dialect *dialect) {
  *bench = (struct bench){.dialect = dialect, .market.wall_ns = BENCH_WALL_NS};
  assert_int_equal(TRP_OK,
                   trp_walk_new(&bench->market.walk, &(struct trp_walk_options){.seed = 11}));
  assert_int_equal(TRP_OK, dialect->open(&bench->session, &bench->market, dialect->ws_path, 0));
  bench->session.number = 7;
}

void bench_close(struct bench *bench) {
  trp_walk_destroy(&bench->market.walk);
  trp_exchange_subs_fini(&bench->session);
  trp_exchange_text_free(&bench->answers.text);
  trp_exchange_text_free(&bench->body);
}

static bool any_value(void *arg, const struct trp_json_value *value) {
  (void)arg;
  (void)value;
  return true;
}

static void assert_json(const char *bytes, size_t size) {
  const char *reason = "";
  if (trp_json_walk(bytes, size, any_value, NULL, &reason) != TRP_OK) {
    fail_msg("%s: %.*s", reason, (int)size, bytes);
  }
}

void bench_say(struct bench *bench, const char *text) {
  trp_exchange_answers_clear(&bench->answers);
  bench->dialect->hear(&bench->session, &bench->market, text, strlen(text), bench->now_ns,
                       &bench->answers);
  assert_false(bench->answers.text.failed);
}

const char *bench_answer(struct bench *bench, uint32_t i, char *out, size_t size) {
  assert_true(i < bench->answers.count);
  size_t from = i > 0 ? bench->answers.ends[i - 1] : 0;
  size_t length = bench->answers.ends[i] - from;
  assert_true(length < size);
  assert_json(bench->answers.text.bytes + from, length);
  memcpy(out, bench->answers.text.bytes + from, length);
  out[length] = '\0';
  return out;
}

const char *bench_ask(struct bench *bench, const char *text) {
  static char out[8192];
  bench_say(bench, text);
  assert_int_equal(1, bench->answers.count);
  return bench_answer(bench, 0, out, sizeof out);
}

uint16_t bench_get(struct bench *bench, const char *path) {
  trp_exchange_rest(bench->dialect, &bench->market, &bench->meter, "GET", path, bench->now_ns,
                    &bench->response, &bench->body);
  assert_json(bench->body.bytes, bench->body.size);
  return bench->response.status;
}

void bench_starts(const struct bench *bench, const char *with) {
  if (strncmp(with, bench->body.bytes, strlen(with)) != 0) {
    fail_msg("not '%s': %.300s", with, bench->body.bytes);
  }
}

static bool same_side(const struct bench *bench, uint32_t symbol, bool bids,
                      const struct trp_ladder_side *side, uint32_t depth) {
  static struct trp_walk_level levels[TRP_WALK_LADDER];
  uint32_t count = trp_walk_levels(bench->market.walk, symbol, bids, levels, depth);
  for (uint32_t i = 0; i < count; i++) {
    if (i >= side->count) {
      return false;
    }
    const struct trp_ladder_entry *entry = &side->entries[side->count - 1 - i];
    if (entry->price != (double)levels[i].price / TRP_WALK_UNIT ||
        entry->size != (double)levels[i].size / TRP_WALK_UNIT) {
      return false;
    }
  }
  return true;
}

bool bench_same_book(const struct bench *bench, uint32_t symbol, const struct trp_ladder *ladder,
                     uint32_t depth) {
  return same_side(bench, symbol, true, &ladder->bids, depth) &&
         same_side(bench, symbol, false, &ladder->asks, depth);
}
