/* Faults that must stay impossible, each named after itself: the event engine, the feed and their
 * subscribers dying, stopping and changing under one another, over several seeds. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/subscriber.h"
#include "actors/symbol_table.h"
#include "test/story/feed_world.h"
#include "test/story/seeds.h"

enum { SEEDS = 12 };

/* The keeper's six wishes. */
enum { KEEPER_WISHES = 6 };

static struct keeper_row *row(const char *symbol) {
  return feed_keeper_row(&world.keeper, trp_symbol_find(symbol));
}

static void begin_live(uint64_t seed, uint32_t quotes_per_s, const struct trp_spec *extra) {
  world_begin(&(struct world_options){.seed = seed, .quotes_per_s = quotes_per_s, .extra = extra});
  assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
}

/* ---- deaths ---- */

static void the_engine_dies_and_comes_back(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    begin_live(seed, 100, NULL);
    assert_true(world_settles(2000));
    world_fault("event_engine", "panic");
    world_run_ms(1000);
    assert_int_equal(2, world_info("event_engine").incarnation);
    assert_int_equal(KEEPER_WISHES, world_engine_stat("subscriptions="));
    assert_int_equal(1, world.keeper.restored);
    assert_int_equal(1, world.spy.attempt_count); /* the stream had nothing to do with it */
    assert_true(world_settles(3000));
    world_end();
  }
}

/* The engine is down for long: what is emitted meanwhile is lost, counted, and told. */
static void the_engine_gone_while_an_event_is_emitted(void **state) {
  (void)state;
  uint64_t told = 0;
  for (uint64_t seed = 20; seed < 20 + SEEDS; seed++) {
    begin_live(seed, 500, NULL);
    for (int i = 0; i < 10; i++) { /* ever longer down: the supervisor backs off */
      world_fault("event_engine", "panic");
      world_run_ms(150);
    }
    world_run_ms(500);
    told += world.keeper.lost;
    assert_true(world.keeper.restored >= 1);
    assert_int_equal(1, world.spy.attempt_count);
    assert_true(world_settles(5000));
    world_end();
  }
  assert_true(told > 0);
}

static void the_feed_dies_and_is_live_again(void **state) {
  (void)state;
  for (uint64_t seed = 40; seed < 40 + SEEDS; seed++) {
    begin_live(seed, 50, NULL);
    for (int i = 1; i <= 3; i++) {
      world_fault("binance", i == 2 ? "error" : "panic");
      world_run_ms(20 * seed); /* also while it is connecting or syncing again */
    }
    assert_true(world_until_phase(TRP_FEED_LIVE, 3000));
    assert_true(world_settles(2000));
    assert_int_equal(4, world_info("binance").incarnation);
    assert_int_equal(1, world_held("binance", TRP_RES_SOCKET));
    world_end();
  }
}

static void the_exchange_dies_and_its_new_market_is_told(void **state) {
  (void)state;
  for (uint64_t seed = 60; seed < 60 + SEEDS; seed++) {
    begin_live(seed, 50, NULL);
    world_run_ms(3000);
    world_fault("exchange", "panic");
    world_run_ms(10);
    assert_true(world_settles(5000));
    world_end();
  }
}

/* Connections come and go by every cause that there is; after each step the feed's word and the
 * stream must agree, see world.broken. */
static void connection_state_never_changes_apart_from_the_connection(void **state) {
  (void)state;
  for (uint64_t seed = 240; seed < 240 + SEEDS; seed++) {
    begin_live(seed, 50, NULL);
    for (uint64_t i = 0; i < 12; i++) {
      switch ((seed + i) % 4) {
        case 0:
          trp_simhub_drop(world.hub, STREAM_HOST);
          break;
        case 1:
          world_fault("exchange", "drop");
          break;
        case 2:
          trp_simhub_half_open(world.hub, STREAM_HOST);
          break;
        default:
          world_clerk(i % 2 == 0 ? "disconnect" : "connect", NULL);
          break;
      }
      world_run_ms(seed * i % 700);
    }
    for (int i = 0; i < 20 && world_command("connect", NULL, 500) != TRP_OK; i++) world_run_ms(100);
    assert_true(world_until_phase(TRP_FEED_LIVE, 20000));
    assert_true(world.spy.opens > 1);
    world_end();
  }
}

/* ---- subscribers that change their minds ---- */

/* At every event it takes back the wish that brought it and wishes for the other kind. */
struct fickle {
  struct trp_subscriber subscriber;
  uint32_t wish; /* TRP_QUOTE or TRP_TRADE */
};

static uint64_t fickle_heard;
static bool fickle_quits; /* wishes for nothing more from the next event on */

static enum trp_err fickle_start(struct trp_self *self, void *state, const void *args) {
  (void)args;
  struct fickle *f = state;
  f->wish = TRP_QUOTE;
  enum trp_err err = trp_subscriber_start(self, &f->subscriber, "event_engine");
  return err == TRP_OK ? trp_subscriber_add(self, &f->subscriber, f->wish, 0) : err;
}

static enum trp_err fickle_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct fickle *f = state;
  if (trp_subscriber_take(self, &f->subscriber, msg)) return TRP_OK;
  fickle_heard++;
  if (f->wish == 0) return TRP_OK;
  enum trp_err err = trp_subscriber_remove(self, &f->subscriber, f->wish, 0);
  if (fickle_quits) {
    f->wish = 0;
    return err;
  }
  f->wish = f->wish == TRP_QUOTE ? TRP_TRADE : TRP_QUOTE;
  return err == TRP_OK ? trp_subscriber_add(self, &f->subscriber, f->wish, 0) : err;
}

static const struct trp_kind fickle_kind = {.name = "fickle",
                                            .state_bytes = sizeof(struct fickle),
                                            .start = fickle_start,
                                            .receive = fickle_receive};
static const struct trp_spec fickle = {.name = "fickle", .kind = &fickle_kind};

static void subscriptions_changed_while_being_iterated(void **state) {
  (void)state;
  for (uint64_t seed = 80; seed < 80 + SEEDS; seed++) {
    fickle_heard = 0;
    fickle_quits = false;
    begin_live(seed, 200, &fickle);
    world_run_ms(5000);
    assert_true(fickle_heard > 20);
    assert_int_equal(KEEPER_WISHES + 1, world_engine_stat("subscriptions="));
    assert_int_equal(2, world_engine_stat("subscribers="));
    assert_int_equal(0, world_engine_stat("refused="));
    assert_true(world_settles(2000)); /* the other one missed nothing */
    assert_int_equal(0, world.keeper.event_gaps);
    world_end();
  }
}

/* Whoever comes while an event is being dealt out hears of the next one, and once. */
static void handlers_registered_during_dispatch(void **state) {
  (void)state;
  for (uint64_t seed = 100; seed < 100 + SEEDS; seed++) {
    fickle_heard = 0;
    fickle_quits = false;
    begin_live(seed, 200, &fickle);
    for (int i = 0; i < 5; i++) {
      world_fault("fickle", "panic"); /* its subscriptions go with it, the next one registers */
      world_run_ms(200);
    }
    assert_int_equal(6, world_info("fickle").incarnation);
    assert_int_equal(KEEPER_WISHES + 1, world_engine_stat("subscriptions="));
    assert_int_equal(KEEPER_WISHES + 1, world_held("event_engine", TRP_RES_SUBSCRIPTION));
    uint64_t heard = fickle_heard;
    world_run_ms(2000);
    assert_true(fickle_heard > heard);
    world_end();
  }
}

static void unregistering_while_the_handler_runs(void **state) {
  (void)state;
  for (uint64_t seed = 120; seed < 120 + SEEDS; seed++) {
    fickle_heard = 0;
    fickle_quits = true;
    begin_live(seed, 1000, &fickle);
    world_run_ms(1000);
    assert_true(fickle_heard >= 1); /* and what was on its way already */
    uint64_t heard = fickle_heard;
    world_run_ms(1000);
    assert_int_equal(heard, fickle_heard);
    assert_int_equal(KEEPER_WISHES, world_engine_stat("subscriptions="));
    assert_int_equal(1, world_engine_stat("subscribers="));
    world_end();
  }
}

/* ---- stopping and closing ---- */

static void the_engine_stopped_before_its_producers_finished(void **state) {
  (void)state;
  for (uint64_t seed = 140; seed < 140 + SEEDS; seed++) {
    begin_live(seed, 1000, NULL);
    world_run_ms(seed * 7);
    trp_system_stop(world.system, "test");
    assert_int_equal(TRP_OK, trp_system_wait(world.system, 2 * TRP_NS_PER_S));
    const struct trp_actor_info engine = world_info("event_engine");
    const struct trp_actor_info consumer = world_info("consumer");
    assert_int_equal(0, trp_ledger_refused(&engine.ledger) + trp_ledger_dead(&engine.ledger));
    assert_int_equal(0, trp_ledger_refused(&consumer.ledger) + trp_ledger_dead(&consumer.ledger));
    /* The last thing that was told arrived: that the feed has stopped. */
    assert_true(world.keeper.state_count > 0);
    assert_int_equal(TRP_FEED_STOPPED, world.keeper.states[world.keeper.state_count - 1].phase);
    world_end();
  }
}

static void closing_twice(void **state) {
  (void)state;
  for (uint64_t seed = 160; seed < 160 + SEEDS; seed++) {
    begin_live(seed, 50, NULL);
    world_clerk("disconnect", NULL);
    if (seed % 3 == 0) world_fault("exchange", "drop");
    if (seed % 3 == 1) world_run_ms(1);
    world_clerk("disconnect", NULL);
    trp_system_stop(world.system, "once");
    if (seed % 2 == 0) world_run_ms(1);
    trp_system_stop(world.system, "twice");
    world_end();
    for (uint32_t i = 0; i < world.reply_count; i++) {
      assert_true(world.replies[i].answered_ns != 0);
    }
  }
}

/* A connect that waits in the mailbox when the pill comes brings no stream (back). */
static void new_tasks_after_cancel_all(void **state) {
  (void)state;
  for (uint64_t seed = 180; seed < 180 + SEEDS; seed++) {
    bool live = seed % 2 == 0;
    world_begin(&(struct world_options){.seed = seed, .stay_disconnected = !live});
    if (live) assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
    struct trp_feed_command connect = {.verb = "connect"};
    struct trp_ref feed = trp_system_whereis(world.system, "binance");
    trp_sim_stall(world.system, feed, 20 * TRP_NS_PER_MS); /* so that it waits */
    assert_int_equal(
        TRP_OK, trp_system_send(world.system, feed, TRP_FEED_COMMAND, &connect, sizeof connect));
    trp_system_stop(world.system, "test");
    world_end();
    assert_int_equal(live, world.spy.attempt_count);
    assert_int_equal(live, world.stats.closes_proper);
  }
}

/* The handshake is done, the feed has not heard of it, and shall stop: it says goodbye all the
 * same. It is stopped alone: else the exchange might say goodbye first. */
static void a_stream_that_stands_unheard_of_gets_its_close_frame(void **state) {
  (void)state;
  for (uint64_t seed = 220; seed < 220 + SEEDS; seed++) {
    world_begin(&(struct world_options){.seed = seed, .stay_disconnected = true});
    assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
    struct trp_ref feed = trp_system_whereis(world.system, "binance");
    trp_sim_stall(world.system, feed, 20 * TRP_NS_PER_MS);
    world_run_ms(10);
    assert_int_equal(1, world.stats.accepted);
    assert_false(world_stream_stands());
    struct trp_child_command stop = {.verb = "stop", .name = "binance"};
    struct trp_ref supervisor = trp_system_whereis(world.system, "supervisor");
    assert_int_equal(
        TRP_OK, trp_system_send(world.system, supervisor, TRP_CHILD_COMMAND, &stop, sizeof stop));
    world_run_ms(1000);
    assert_true(trp_ref_is_nobody(trp_system_whereis(world.system, "binance")));
    world_end();
    assert_int_equal(1, world.stats.closes_proper);
    assert_int_equal(0, world.stats.closes_improper + world.stats.cut);
  }
}

static void a_death_in_the_middle_of_a_disconnect_answers_who_waits(void **state) {
  (void)state;
  for (uint64_t seed = 200; seed < 200 + SEEDS; seed++) {
    begin_live(seed, 50, NULL);
    trp_simhub_half_open(world.hub, NULL); /* so that the close takes its second */
    world_clerk("disconnect", NULL);
    world_run_ms(100);
    world_fault("binance", "panic");
    world_run_ms(500);
    assert_true(world.replies[0].answered_ns != 0);
    assert_int_equal(TRP_DEAD, world.replies[0].status);
    assert_true(world_until_phase(TRP_FEED_LIVE, 3000)); /* a new life begins connected */
    world_end();
  }
}

static void one_seed_is_one_run(void **state) {
  (void)state;
  uint64_t events[2], frames[2];
  for (int i = 0; i < 2; i++) {
    begin_live(7, 100, NULL);
    world_fault("event_engine", "panic");
    world_run_ms(3000);
    trp_simhub_drop(world.hub, NULL);
    world_run_ms(3000);
    events[i] = world.keeper.events;
    frames[i] = world.stats.frames_sent;
    assert_true(row("BTCUSDT.BINANCE")->quotes > 100);
    world_end();
  }
  assert_int_equal(events[0], events[1]);
  assert_int_equal(frames[0], frames[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(the_engine_dies_and_comes_back, seeds_tell),
      cmocka_unit_test_teardown(the_engine_gone_while_an_event_is_emitted, seeds_tell),
      cmocka_unit_test_teardown(the_feed_dies_and_is_live_again, seeds_tell),
      cmocka_unit_test_teardown(the_exchange_dies_and_its_new_market_is_told, seeds_tell),
      cmocka_unit_test_teardown(connection_state_never_changes_apart_from_the_connection,
                                seeds_tell),
      cmocka_unit_test_teardown(subscriptions_changed_while_being_iterated, seeds_tell),
      cmocka_unit_test_teardown(handlers_registered_during_dispatch, seeds_tell),
      cmocka_unit_test_teardown(unregistering_while_the_handler_runs, seeds_tell),
      cmocka_unit_test_teardown(the_engine_stopped_before_its_producers_finished, seeds_tell),
      cmocka_unit_test_teardown(closing_twice, seeds_tell),
      cmocka_unit_test_teardown(new_tasks_after_cancel_all, seeds_tell),
      cmocka_unit_test_teardown(a_stream_that_stands_unheard_of_gets_its_close_frame, seeds_tell),
      cmocka_unit_test_teardown(a_death_in_the_middle_of_a_disconnect_answers_who_waits,
                                seeds_tell),
      cmocka_unit_test_teardown(one_seed_is_one_run, seeds_tell),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
