/* ask_explore_test.c - one record after another life in the same block of memory: who holds a token
 * of an earlier one reaches nobody, in orders of steps that real threads hardly ever meet.
 *
 * The library's own sources are compiled here once more, with a point before each shared access. An
 * actor that asks and cancels, one that asks from outside and gives up, two that answer and one
 * that tells of a death run as fibers, all on records that are reused at once; every seed is an
 * execution. In each: a question has one outcome, and that one is its own; none after it was
 * cancelled; and all records come back.
 *
 * TRP_SEED=n replays one seed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test/explore/explorer.h"

#define TRP_EXPLORE
#define trp_ask_look trp_explored_ask_look
#define trp_asks_init trp_explored_asks_init
#define trp_asks_fini trp_explored_asks_fini
#define trp_ask_open trp_explored_open
#define trp_ask_token trp_explored_token
#define trp_ask_find trp_explored_find
#define trp_ask_asker trp_explored_asker
#define trp_ask_waits trp_explored_waits
#define trp_ask_complete trp_explored_complete
#define trp_ask_fail trp_explored_fail
#define trp_ask_link trp_explored_link
#define trp_ask_unlink trp_explored_unlink
#define trp_ask_forget trp_explored_forget
#define trp_ask_wait_filled trp_explored_wait_filled
#define trp_ask_abandon trp_explored_abandon
#define trp_ask_close trp_explored_close
#define trp_lane_post trp_explored_lane_post
#define trp_lane_take trp_explored_lane_take
#define trp_lane_unqueue trp_explored_lane_unqueue
#define pthread_mutex_lock trp_explorer_lock
#include "runtime/ask.c"
#include "runtime/lane.c"
#undef pthread_mutex_lock

enum { SEEDS = 20000, SECONDS_MAX = 10, POINTS_MAX = 100000, ROUNDS = 6, TOKENS_MAX = 64 };
enum { ANSWER = 1024 };

struct asked {
  uint64_t token;
  uint32_t completed; /* how often somebody was told that his answer was taken */
  bool cancelled;     /* and nobody will answer any more */
  bool unwanted;      /* cancelled too late: its answer is on its way */
  bool heard;
};

static struct world {
  struct trp_system system;
  struct trp_sched sched;
  struct trp_actor asker;
  struct asked asked[TOKENS_MAX];
  uint32_t count, asking; /* questions so far; fibers that still ask */
} world;

static void must(bool held, const char *otherwise) {
  if (!held) trp_explorer_fail(otherwise);
}

static void step(void) { trp_explore_point("test"); }

static struct asked *remember(struct trp_ask *ask) {
  for (uint32_t i = 0; i < world.count; i++) {
    must(world.asked[i].token != trp_ask_token(ask), "a token was given twice");
  }
  struct asked *asked = &world.asked[world.count++];
  *asked = (struct asked){.token = trp_ask_token(ask)};
  return asked;
}

static void check_answer(struct asked *asked, const struct trp_ask *ask) {
  uint64_t said = 0;
  must(!asked->heard, "a second outcome");
  asked->heard = true;
  if (ask->answer.type == TRP_ASK_FAILED) return;
  must(ask->answer.type == ANSWER && ask->answer.inline_bytes == sizeof said, "a torn answer");
  memcpy(&said, ask->answer.body.bytes, sizeof said);
  must(said == asked->token, "the answer to another question");
}

/* ---- who answers ---- */

static void answer_some(void *arg) {
  bool tells_of_death = arg != NULL;
  while (world.asking > 0) {
    step();
    if (world.count == 0) continue;
    struct asked *asked = &world.asked[trp_explorer_draw(world.count)]; /* an old one, too */
    uint64_t token = asked->token;
    if (tells_of_death) {
      trp_ask_fail(&world.system, token, TRP_DEAD);
      continue;
    }
    struct trp_letter answer = {.type = ANSWER, .inline_bytes = sizeof token};
    memcpy(answer.body.bytes, &token, sizeof token);
    bool over = asked->cancelled || asked->heard;
    if (trp_ask_complete(&world.system, token, &answer) != TRP_OK) continue;
    must(!over, "an answer was taken to a question that was over");
    must(++asked->completed == 1, "two answers were taken");
  }
}

/* ---- who asks ---- */

static struct asked *find(const struct trp_ask *ask) {
  for (uint32_t i = 0; i < world.count; i++) {
    if (world.asked[i].token == trp_ask_token(ask)) return &world.asked[i];
  }
  trp_explorer_fail("a word about no question");
}

static void hear(void) {
  struct trp_node *node = trp_lane_take(&world.asker.lane);
  while (node != NULL) {
    struct trp_node *next = node->next;
    trp_lane_unqueue(node);
    struct trp_ask *ask = (struct trp_ask *)node;
    struct asked *asked = find(ask);
    must(!asked->cancelled, "a word about what was cancelled");
    trp_ask_wait_filled(ask);
    check_answer(asked, ask);
    trp_ask_close(&world.system.asks, ask);
    node = next;
  }
}

static bool all_are_over(void) {
  for (uint32_t i = 0; i < world.count; i++) {
    if (!world.asked[i].heard && !world.asked[i].cancelled) return false;
  }
  return true;
}

static void ask_from_a_turn(void *arg) {
  (void)arg;
  for (int round = 0; round < ROUNDS; round++) {
    struct trp_ask *ask = trp_ask_open(&world.system.asks);
    must(ask != NULL, "no record");
    ask->asker = &world.asker;
    struct asked *asked = remember(ask);
    for (uint64_t n = trp_explorer_draw(4); n > 0; n--) step();
    if (trp_explorer_draw(2) == 0 && !asked->heard) {
      bool nobody = trp_ask_abandon(&world.system.asks, ask);
      asked->cancelled = nobody;
      asked->unwanted = !nobody;
    }
    hear();
  }
  world.asking--;
  /* What was cancelled too late is on its way; what waits is told of a death. */
  for (uint32_t i = 0; i < world.count; i++) {
    trp_ask_fail(&world.system, world.asked[i].token, TRP_STOPPED);
  }
  while (!all_are_over()) {
    step();
    hear();
  }
}

static void ask_from_outside(void *arg) {
  (void)arg;
  for (int round = 0; round < ROUNDS; round++) {
    struct trp_ask *ask = trp_ask_open(&world.system.asks);
    must(ask != NULL, "no record");
    struct asked *asked = remember(ask);
    for (uint64_t n = trp_explorer_draw(6); n > 0 && atomic_load(&ask->filled) == 0; n--) step();
    trp_ask_fail(&world.system, asked->token, TRP_TIMEOUT);
    trp_ask_wait_filled(ask);
    check_answer(asked, ask);
    trp_ask_close(&world.system.asks, ask);
  }
  world.asking--;
}

/* ---- one seed ---- */

static void wake(struct trp_sched *sched, struct trp_actor *actor) {
  (void)sched;
  (void)actor;
}

static void notify(struct trp_sched *sched, _Atomic uint32_t *word) {
  (void)sched;
  (void)word;
}

static const struct trp_sched_ops ops = {.wake = wake, .notify = notify};

static const char *explore_seed(uint64_t seed) {
  memset(&world, 0, sizeof world);
  world.sched.ops = &ops;
  world.system.sched = &world.sched;
  world.asker.system = &world.system;
  trp_asks_init(&world.system.asks);
  world.asking = 2;
  trp_explorer_begin(seed);
  trp_explorer_spawn(ask_from_a_turn, NULL);
  trp_explorer_spawn(ask_from_outside, NULL);
  trp_explorer_spawn(answer_some, NULL);
  trp_explorer_spawn(answer_some, NULL);
  trp_explorer_spawn(answer_some, &world);
  const char *failure = trp_explorer_run(POINTS_MAX);
  if (failure == NULL && world.system.asks.live != 0) failure = "a record did not come back";
  trp_asks_fini(&world.system.asks);
  return failure;
}

static void every_interleaving_gives_a_question_its_own_outcome_and_one(void **state) {
  (void)state;
  const char *given = getenv("TRP_SEED");
  uint64_t seed = given == NULL ? 1 : strtoull(given, NULL, 0);
  uint64_t end = given == NULL ? seed + SEEDS : seed + 1;
  time_t until = time(NULL) + SECONDS_MAX;
  uint64_t explored = 0;
  for (; seed < end && time(NULL) <= until; seed++, explored++) {
    const char *failure = explore_seed(seed);
    if (failure != NULL) fail_msg("%s; replay with TRP_SEED=%" PRIu64, failure, seed);
  }
  print_message("%" PRIu64 " seeds\n", explored);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_interleaving_gives_a_question_its_own_outcome_and_one),
  };
  return cmocka_run_group_tests_name("asks: explored", tests, NULL, NULL);
}
