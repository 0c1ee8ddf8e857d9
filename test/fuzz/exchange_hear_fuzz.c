/* What clients say to the embedded exchange, in every dialect: nothing may break it, every answer
 * in JSON is JSON, and a session never has more subscriptions than its dialect allows. The first
 * byte chooses the dialect and whether the rest is a message, a WebSocket's path or a request's. */
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_dialect.h"
#include "adapters/json_lejp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool any_value(void *arg, const struct trp_json_value *value) {
  (void)arg;
  (void)value;
  return true;
}

static void check_json(const char *bytes, size_t size) {
  const char *reason;
  if (trp_json_walk(bytes, size, any_value, NULL, &reason) != TRP_OK) abort();
}

static void say(const struct trp_exchange_dialect *dialect, struct trp_exchange_market *market,
                const uint8_t *data, size_t size) {
  struct trp_exchange_session session;
  struct trp_exchange_answers answers = {0};
  if (dialect->open(&session, market, dialect->ws_path, 0) != TRP_OK) abort();
  for (int i = 0; i < 2; i++) { /* once more: what is there already */
    trp_exchange_answers_clear(&answers);
    dialect->hear(&session, market, data, size, 0, &answers);
    if (answers.text.failed || session.count > dialect->limits.streams_max) abort();
    for (uint32_t a = 0; a < answers.count; a++) {
      size_t from = a > 0 ? answers.ends[a - 1] : 0;
      check_json(answers.text.bytes + from, answers.ends[a] - from);
    }
  }
  trp_exchange_subs_fini(&session);
  trp_exchange_text_free(&answers.text);
}

static void call(const struct trp_exchange_dialect *dialect, struct trp_exchange_market *market,
                 const char *path) {
  struct trp_exchange_meter meter = {0};
  struct trp_exchange_response response;
  struct trp_exchange_text body = {0};
  trp_exchange_rest(dialect, market, &meter, "GET", path, 0, &response, &body);
  check_json(body.bytes, body.size);
  trp_exchange_text_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct trp_exchange_market market = {.wall_ns = UINT64_C(1700000000000000000)};
  if (size == 0) return 0;
  if (market.walk == NULL && trp_walk_new(&market.walk, &(struct trp_walk_options){0}) != TRP_OK) {
    return 0;
  }
  const struct trp_exchange_dialect *dialect = trp_exchange_dialect_at(data[0] % 3);
  char *path = strndup((const char *)data + 1, size - 1);
  if (path == NULL) return 0;
  if (data[0] / 3 % 3 == 0) {
    say(dialect, &market, data + 1, size - 1);
  } else if (data[0] / 3 % 3 == 1) {
    struct trp_exchange_session session;
    if (dialect->open(&session, &market, path, 0) == TRP_OK) trp_exchange_subs_fini(&session);
  } else {
    call(dialect, &market, path);
  }
  free(path);
  return 0;
}
