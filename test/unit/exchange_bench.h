/* exchange_bench.h - what the tests of the exchange's dialects share: a market of chance, one
 * session, and a truth to compare books with. Thread: the test's. */
#ifndef TRP_TEST_UNIT_EXCHANGE_BENCH_H
#define TRP_TEST_UNIT_EXCHANGE_BENCH_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/book.h"
#include "adapters/exchange_dialect.h"

#define BENCH_MS UINT64_C(1000000)
#define BENCH_WALL_NS UINT64_C(1700000000000000000)

struct bench {
  const struct trp_exchange_dialect *dialect;
  struct trp_exchange_market market;
  struct trp_exchange_session session;
  struct trp_exchange_meter meter;
  struct trp_exchange_response response;
  struct trp_exchange_answers answers;
  struct trp_exchange_text body;
  uint64_t now_ns;
};

void bench_open(struct bench *bench, const struct trp_exchange_dialect *dialect);
void bench_close(struct bench *bench);

/* Says something in the session; the i-th answer, of which there must be that many. */
void bench_say(struct bench *bench, const char *text);
const char *bench_answer(struct bench *bench, uint32_t i, char *out, size_t size);

/* The answer to a request that has one alone. */
const char *bench_ask(struct bench *bench, const char *text);

/* A GET; the status, with the body in bench->body. */
uint16_t bench_get(struct bench *bench, const char *path);
void bench_starts(const struct bench *bench, const char *with);

/* Whether the best `depth` levels of both sides are those of the walk. */
bool bench_same_book(const struct bench *bench, uint32_t symbol, const struct trp_ladder *ladder,
                     uint32_t depth);

#endif
