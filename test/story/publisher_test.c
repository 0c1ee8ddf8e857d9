/* Publishers that deliver by the routes which the event engine shows: order, deaths, gaps, waiting,
 * stopping; under the simulated scheduler, over seeds. Every listener holds what it hears against
 * one rule: of each publisher the next event follows the last, or a gap was told that explains it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "actors/event_engine.h"
#include "actors/publisher.h"
#include "actors/subscriber.h"
#include "actors/supervisor.h"
#include "runtime/blob.h"
#include "runtime/sim.h"
#include "runtime/troupe.h"

enum { EVENT = TRP_USER_FIRST, PUBLISHERS = 2, LISTENERS = 3, SEEDS = 40, LAST_WORDS = 5 };
enum { LARGE_BYTES = 1000 };

struct event {
  uint32_t publisher, sequence, life;
};

struct source { /* a publisher's, over its lives */
  uint32_t published, bytes;
  bool held_back; /* publishes nothing of its own */
};

struct ear { /* a listener's, of the life it is in */
  uint32_t last[PUBLISHERS], life[PUBLISHERS];
  bool heard_any[PUBLISHERS];
  uint64_t gap[PUBLISHERS]; /* told and not yet seen */
  uint32_t events, gaps, since[PUBLISHERS];
  bool subscribed; /* by an ask, and it is answered */
  uint32_t wishes; /* how often to subscribe to the same */
};

static struct world {
  struct trp_system *system;
  struct source sources[PUBLISHERS];
  struct ear ears[LISTENERS];
  char fault[128];
} world;

static void fault(const char *what, uint32_t publisher, uint64_t sequence) {
  if (world.fault[0] != '\0') return;
  snprintf(world.fault, sizeof world.fault, "%s: publisher %u, event %llu", what, publisher,
           (unsigned long long)sequence);
}

/* ---- a publisher: a few events each millisecond ---- */

struct speaker {
  struct trp_publisher publisher;
  uint32_t index;
};

static void publish_one(struct trp_self *self, struct speaker *s) {
  struct source *source = &world.sources[s->index];
  static unsigned char body[LARGE_BYTES];
  struct event event = {.publisher = s->index,
                        .sequence = ++source->published,
                        .life = (uint32_t)trp_self_incarnation(self)};
  memcpy(body, &event, sizeof event);
  trp_publish(self, &s->publisher, EVENT, body, source->bytes);
}

static enum trp_err speaker_start(struct trp_self *self, void *state, const void *args) {
  struct speaker *s = state;
  memcpy(&s->index, args, sizeof s->index);
  enum trp_err err = trp_publisher_start_direct(self, &s->publisher, "event_engine");
  return err != TRP_OK ? err : trp_timer_start(self, TRP_NS_PER_MS, TRP_NS_PER_MS, 0, NULL);
}

static enum trp_err speaker_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct speaker *s = state;
  if (trp_publisher_take(self, &s->publisher, msg) || msg->type != TRP_TIMER) return TRP_OK;
  if (world.sources[s->index].held_back || trp_outbox_depth(self) > 0) return TRP_OK;
  for (uint64_t n = trp_random(self) % 5; n > 0; n--) publish_one(self, s);
  return TRP_OK;
}

static void speaker_stop(struct trp_self *self, void *state) {
  for (int i = 0; i < LAST_WORDS; i++) publish_one(self, state);
}

static void speaker_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  trp_publisher_end(&((struct speaker *)state)->publisher);
}

static const struct trp_kind speaker_kind = {.name = "speaker",
                                             .state_bytes = sizeof(struct speaker),
                                             .start = speaker_start,
                                             .receive = speaker_receive,
                                             .stop = speaker_stop,
                                             .end = speaker_end};

/* ---- a listener ---- */

struct listener {
  struct trp_subscriber subscriber;
  uint32_t index;
};

static void hear(struct ear *ear, const struct event *event) {
  uint32_t p = event->publisher;
  /* What a publisher had not got rid of dies with it, and is no gap of the next one's. */
  if (event->life != ear->life[p]) ear->heard_any[p] = false;
  ear->life[p] = event->life;
  uint64_t missed = event->sequence - ear->last[p] - UINT64_C(1);
  if (ear->heard_any[p] && event->sequence <= ear->last[p])
    fault("out of order", p, event->sequence);
  if (ear->heard_any[p] && missed > ear->gap[p]) fault("an untold gap before", p, event->sequence);
  if (!ear->heard_any[p] && ear->subscribed && event->sequence > ear->since[p] + 1) {
    fault("published after it was subscribed, and missed, before", p, event->sequence);
  }
  ear->heard_any[p] = true;
  ear->last[p] = event->sequence;
  ear->gap[p] = 0;
  ear->events++;
}

static enum trp_err listener_start(struct trp_self *self, void *state, const void *args) {
  struct listener *l = state;
  memcpy(&l->index, args, sizeof l->index);
  struct ear *ear = &world.ears[l->index];
  *ear = (struct ear){.wishes = ear->wishes};
  enum trp_err err = trp_subscriber_start(self, &l->subscriber, "event_engine");
  if (err == TRP_OK) err = trp_subscriber_add(self, &l->subscriber, TRP_EVENT_GAP, 0);
  for (uint32_t i = 0; err == TRP_OK && i < ear->wishes; i++) {
    err = trp_subscriber_add(self, &l->subscriber, i % 2 == 0 ? EVENT : 0, 0);
  }
  return err;
}

static enum trp_err listener_receive(struct trp_self *self, void *state,
                                     const struct trp_msg *msg) {
  struct listener *l = state;
  struct ear *ear = &world.ears[l->index];
  if (trp_subscriber_take(self, &l->subscriber, msg)) return TRP_OK;
  const struct trp_event_gap *gap = trp_msg_event_gap(msg);
  if (gap != NULL) {
    uint32_t p = (uint32_t)(gap->publisher[strlen(gap->publisher) - 1] - '0');
    ear->gap[p] += gap->lost;
    ear->gaps++;
  } else if (msg->type == EVENT) {
    hear(ear, msg->body);
  } else if (msg->type == TRP_OPERATOR) { /* told to subscribe by an ask */
    struct trp_subscribe wish = {.event = EVENT};
    return trp_ask(self, l->subscriber.engine, TRP_SUBSCRIBE, &wish, sizeof wish, TRP_NS_PER_S,
                   NULL);
  } else if (msg->type == TRP_RESULT) {
    ear->subscribed = true;
    for (int p = 0; p < PUBLISHERS; p++) ear->since[p] = world.sources[p].published;
  }
  return TRP_OK;
}

static const struct trp_kind listener_kind = {.name = "listener",
                                              .state_bytes = sizeof(struct listener),
                                              .start = listener_start,
                                              .receive = listener_receive};

/* ---- the world ---- */

static void add(const char *name, const struct trp_kind *kind, const void *args,
                uint32_t capacity) {
  const struct trp_spec spec = {
      .name = name,
      .kind = kind,
      .args = args,
      .supervisor = kind == &trp_supervisor_kind ? NULL : "supervisor",
      .restart = {.intensity = 1000, .backoff_min_ms = 1, .backoff_max_ms = 20},
      .mailbox = {.capacity = capacity, .policy = TRP_WAIT}};
  assert_int_equal(trp_system_add(world.system, &spec), TRP_OK);
}

/* The third listener subscribes to nothing but gaps by itself. */
static void begin(uint64_t seed) {
  static const uint32_t numbers[] = {0, 1, 2};
  static const char *const speakers[] = {"speaker0", "speaker1"};
  static const char *const listeners[] = {"listener0", "listener1", "listener2"};
  memset(&world, 0, sizeof world);
  const struct trp_system_options how = {.name = "routes",
                                         .sched = TRP_SCHED_SIM,
                                         .seed = seed,
                                         .allow_faults = true,
                                         .quiet_report = true};
  assert_int_equal(trp_system_new(&world.system, &how), TRP_OK);
  add("supervisor", &trp_supervisor_kind, NULL, 0);
  for (int i = 0; i < LISTENERS; i++) {
    world.ears[i].wishes = i < 2 ? (uint32_t)i * 3 + 1 : 0;
    add(listeners[i], &listener_kind, &numbers[i], 64);
  }
  add("event_engine", &trp_event_engine_kind, NULL, 0);
  for (int i = 0; i < PUBLISHERS; i++) {
    world.sources[i].bytes = sizeof(struct event);
    add(speakers[i], &speaker_kind, &numbers[i], 0);
  }
  assert_int_equal(trp_system_start(world.system, NULL, 0), TRP_OK);
}

static void run_ms(uint64_t ms) { trp_sim_run_for(world.system, ms * TRP_NS_PER_MS); }

static struct trp_ref named(const char *name) { return trp_system_whereis(world.system, name); }

static void strike(const char *name) {
  const struct trp_fault panic = {.text = "panic"};
  (void)!trp_system_send(world.system, named(name), TRP_FAULT, &panic, sizeof panic);
}

static void no_fault(uint64_t seed) {
  if (world.fault[0] != '\0') fail_msg("seed %llu: %s", (unsigned long long)seed, world.fault);
}

static void end(uint64_t seed) {
  no_fault(seed);
  trp_system_destroy(&world.system);
  no_fault(seed);
  assert_int_equal(0, trp_blob_live());
}

/* ---- the stories ---- */

static void each_event_comes_once_and_in_order_however_often_one_subscribed(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    begin(seed);
    run_ms(200);
    assert_true(world.ears[0].events > 100 && world.ears[1].events > 100);
    assert_int_equal(0, world.ears[0].gaps + world.ears[1].gaps);
    end(seed);
  }
}

static void who_has_been_answered_gets_what_is_published_afterwards(void **state) {
  (void)state;
  const struct trp_operator go = {.text = "subscribe"};
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    begin(seed);
    run_ms(20 + seed % 7);
    assert_int_equal(
        TRP_OK, trp_system_send(world.system, named("listener2"), TRP_OPERATOR, &go, sizeof go));
    run_ms(100);
    assert_true(world.ears[2].subscribed && world.ears[2].events > 10);
    end(seed);
  }
}

static void each_subscriber_is_told_its_own_gap_when_the_engine_comes_back(void **state) {
  (void)state;
  uint32_t gaps = 0;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    begin(seed);
    run_ms(50);
    for (int i = 0; i < 5; i++) {
      strike("event_engine");
      /* Some hear of the new engine late: the others' events go on without them. */
      if (i % 2 == 0) trp_sim_stall(world.system, named("listener0"), seed * TRP_NS_PER_MS);
      run_ms(20 + 7 * seed);
    }
    run_ms(500);
    gaps += world.ears[0].gaps;
    uint32_t before = world.ears[0].events;
    run_ms(100);
    assert_true(world.ears[0].events > before);
    end(seed);
  }
  assert_true(gaps >= SEEDS);
}

static void publishers_and_subscribers_die_and_nobody_elses_stream_breaks(void **state) {
  (void)state;
  static const char *const victims[] = {"speaker0", "listener1", "event_engine", "speaker1"};
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    begin(seed);
    run_ms(50);
    for (uint64_t i = 0; i < 12; i++) {
      strike(victims[(seed + i) % 4]);
      run_ms(1 + (seed * i) % 40);
    }
    run_ms(500);
    uint32_t before = world.ears[1].events;
    run_ms(100);
    assert_true(world.ears[1].events > before);
    end(seed);
  }
}

static void a_subscriber_that_waits_holds_back_its_publishers_and_not_the_engine(void **state) {
  (void)state;
  begin(5);
  run_ms(50);
  trp_sim_stall(world.system, named("listener0"), TRP_NS_PER_S);
  run_ms(500); /* its mailbox is full, and the publishers keep what is for it */
  uint32_t published = world.sources[0].published;
  run_ms(400);
  assert_int_equal(published, world.sources[0].published);
  struct trp_operator question = {.text = "stats"};
  struct trp_result answer;
  size_t bytes = sizeof answer;
  assert_int_equal(TRP_OK,
                   trp_system_ask(world.system, named("event_engine"), TRP_OPERATOR, &question,
                                  sizeof question, TRP_NS_PER_MS, NULL, &answer, &bytes));
  run_ms(500);
  assert_true(world.sources[0].published > published);
  assert_int_equal(0, world.ears[0].gaps);
  end(5);
}

/* No edge from a publisher is declared: it comes with the routes. */
static void what_is_published_on_the_pill_still_arrives(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    begin(seed);
    run_ms(30);
    world.sources[0].held_back = world.sources[1].held_back = true;
    run_ms(30);
    trp_system_stop(world.system, "the end");
    assert_int_equal(TRP_OK, trp_system_wait(world.system, 10 * TRP_NS_PER_S));
    for (int p = 0; p < PUBLISHERS; p++) {
      assert_int_equal(world.sources[p].published, world.ears[0].last[p]);
      assert_int_equal(world.sources[p].published, world.ears[1].last[p]);
    }
    end(seed);
  }
}

static void a_large_event_is_shared_by_its_subscribers(void **state) {
  (void)state;
  begin(9);
  world.sources[0].held_back = world.sources[1].held_back = true;
  world.sources[0].bytes = LARGE_BYTES;
  run_ms(50);
  trp_sim_stall(world.system, named("listener0"), 200 * TRP_NS_PER_MS);
  trp_sim_stall(world.system, named("listener1"), 200 * TRP_NS_PER_MS);
  uint32_t before = world.sources[0].published;
  world.sources[0].held_back = false;
  while (world.sources[0].published == before) run_ms(1);
  world.sources[0].held_back = true;
  run_ms(5);
  assert_int_equal(world.sources[0].published - before, trp_blob_live());
  run_ms(300);
  assert_int_equal(0, trp_blob_live());
  end(9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_event_comes_once_and_in_order_however_often_one_subscribed),
      cmocka_unit_test(who_has_been_answered_gets_what_is_published_afterwards),
      cmocka_unit_test(each_subscriber_is_told_its_own_gap_when_the_engine_comes_back),
      cmocka_unit_test(publishers_and_subscribers_die_and_nobody_elses_stream_breaks),
      cmocka_unit_test(a_subscriber_that_waits_holds_back_its_publishers_and_not_the_engine),
      cmocka_unit_test(what_is_published_on_the_pill_still_arrives),
      cmocka_unit_test(a_large_event_is_shared_by_its_subscribers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
