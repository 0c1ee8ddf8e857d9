#include "adapters/exchange_dialect.h"

#include <string.h>

static const struct trp_exchange_dialect *const dialects[] = {
    &trp_exchange_binance, &trp_exchange_gateio, &trp_exchange_mexc};

const struct trp_exchange_dialect *trp_exchange_dialect_at(uint32_t i) {
  return i < sizeof dialects / sizeof dialects[0] ? dialects[i] : NULL;
}

const struct trp_exchange_dialect *trp_exchange_dialect_find(const char *name) {
  const struct trp_exchange_dialect *dialect = NULL;
  for (uint32_t i = 0; (dialect = trp_exchange_dialect_at(i)) != NULL; i++) {
    if (strcmp(dialect->name, name) == 0) {
      break;
    }
  }
  return dialect;
}

void trp_exchange_answers_end(struct trp_exchange_answers *answers) {
  size_t before = answers->count > 0 ? answers->ends[answers->count - 1] : 0;
  if (answers->text.size == before) {
    return;
  }
  if (answers->count == TRP_EXCHANGE_ANSWERS_MAX) {
    answers->text.failed = true;
    return;
  }
  answers->ends[answers->count++] = answers->text.size;
}

void trp_exchange_answers_clear(struct trp_exchange_answers *answers) {
  trp_exchange_text_clear(&answers->text);
  answers->count = 0;
}

static struct trp_exchange_call call_of(const struct trp_exchange_dialect *dialect,
                                        const struct trp_exchange_market *market,
                                        struct trp_exchange_meter *meter,
                                        struct trp_exchange_response *response,
                                        struct trp_exchange_text *body) {
  return (struct trp_exchange_call){.market = market,
                                    .meter = meter,
                                    .response = response,
                                    .body = body,
                                    .refuse = dialect->refuse,
                                    .underscore = dialect->underscore,
                                    .legal = dialect->legal};
}

void trp_exchange_rest(const struct trp_exchange_dialect *dialect,
                       const struct trp_exchange_market *market, struct trp_exchange_meter *meter,
                       const char *method, const char *path, uint64_t now_ns,
                       struct trp_exchange_response *response, struct trp_exchange_text *body) {
  struct trp_exchange_call call = call_of(dialect, market, meter, response, body);
  trp_exchange_call_begin(&call, method, path, now_ns);
  dialect->rest(&call);
  if (body->failed) {
    dialect->refuse(&call, TRP_EXCHANGE_BROKEN, "");
  }
}

void trp_exchange_rest_refuse(const struct trp_exchange_dialect *dialect,
                              const struct trp_exchange_market *market,
                              enum trp_exchange_problem problem, uint32_t retry_after_s,
                              uint64_t now_ns, struct trp_exchange_response *response,
                              struct trp_exchange_text *body) {
  struct trp_exchange_meter meter = {0};
  struct trp_exchange_call call = call_of(dialect, market, &meter, response, body);
  trp_exchange_call_begin(&call, "GET", "/", now_ns);
  call.retry_after_s = retry_after_s;
  dialect->refuse(&call, problem, "");
}
