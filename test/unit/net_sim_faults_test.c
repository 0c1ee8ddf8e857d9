/* The simulated network: conditions, faults, and one seed that is one execution. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/net_sim_world.h"

/* The two functions of the runtime that a net calls; here the world is the system. */
void trp_notify(struct trp_system *system, struct trp_ref slot) {
  (void)slot;
  ((struct world *)system)->notified++;
}

uint64_t trp_system_now_ns(struct trp_system *system) { return ((struct world *)system)->now_ns; }

/* ---- conditions and acts -------------------------------------------------------------------- */

static void each_obstacle_fails_with_its_own_error(void **state) {
  struct world *w = *state;
  struct {
    struct trp_simhub_conditions conditions;
    enum trp_err err;
    uint16_t status;
    uint32_t retry_after_s;
  } cases[] = {
      {{.resolve_fails = true}, TRP_RESOLVE, 0, 0},
      {{.door = TRP_SIMHUB_REFUSES}, TRP_CONNECT, 0, 0},
      {{.door = TRP_SIMHUB_BLACK_HOLE}, TRP_TIMEOUT, 0, 0},
      {{.tls_fails = true}, TRP_TLS, 0, 0},
      {{.answer_status = 418, .answer_retry_s = 60}, TRP_RATE_LIMIT, 418, 60},
      {{.answer_status = 503}, TRP_REFUSED, 503, 0},
      {{.resolve_ns = 400 * MS}, TRP_TIMEOUT, 0, 0},
      {{.drop_ppm = 1000000}, TRP_PROTOCOL, 0, 0},
      {{.half_open_ppm = 1000000}, TRP_TIMEOUT, 0, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    set(w, cases[i].conditions);
    dial(w, "wss://127.0.0.1:8080/", 300);
    pump(w, 299 * MS);
    if (cases[i].err == TRP_TIMEOUT) nothing_comes(w->client);
    pump(w, MS);
    take(w, w->client, TRP_NET_FAILED);
    assert_int_equal(w->event.err, cases[i].err);
    assert_int_equal(w->event.status, cases[i].status);
    assert_int_equal(w->event.retry_after_s, cases[i].retry_after_s);
    nobody_is_left(w);
  }
  dial(w, "ws://exchange.invalid/", 0);
  assert_int_equal(trp_simhub_set(w->hub, SERVER, NULL), TRP_OK);
  pump(w, MS);
  assert_int_equal(take(w, w->client, TRP_NET_FAILED)->err, TRP_RESOLVE);
  open_pair(w); /* calm again */
}

static void a_gateway_answers_requests_instead_of_the_server(void **state) {
  struct world *w = *state;
  set(w, (struct trp_simhub_conditions){.answer_status = 503, .answer_retry_s = 2});
  fetch(w, 0);
  pump(w, MS);
  take(w, w->client, TRP_NET_RESPONSE);
  assert_int_equal(w->event.status, 503);
  assert_int_equal(w->event.retry_after_s, 2);
  assert_int_equal(w->event.size, 0);
  nobody_is_left(w);
}

static void a_drop_is_abnormal_on_both_sides(void **state) {
  struct world *w = *state;
  open_pair(w);
  assert_int_equal(say(w->client, w->link, "lost"), TRP_OK);
  trp_simhub_drop(w->hub, "127.0.0.1:1"); /* another server's matter */
  nothing_comes(w->client);
  trp_simhub_drop(w->hub, SERVER);
  assert_int_equal(take(w, w->client, TRP_NET_CLOSED)->code, 1006);
  assert_false(w->event.proper);
  assert_int_equal(take(w, w->server, TRP_NET_CLOSED)->code, 1006);
  assert_false(w->event.proper);
  nobody_is_left(w);
}

static void a_silence_delays_or_loses(void **state) {
  struct world *w = *state;
  open_pair(w);
  assert_int_equal(trp_simhub_silence(w->hub, SERVER, 50 * MS, false), TRP_OK);
  assert_int_equal(say(w->server, w->peer, "late"), TRP_OK);
  pump(w, 49 * MS);
  nothing_comes(w->client);
  pump(w, 2 * MS);
  hear(w, w->client, "late");
  assert_int_equal(trp_simhub_silence(w->hub, NULL, 50 * MS, true), TRP_OK);
  assert_int_equal(say(w->server, w->peer, "lost"), TRP_OK);
  pump(w, 51 * MS);
  assert_int_equal(say(w->server, w->peer, "after"), TRP_OK);
  pump(w, MS);
  hear(w, w->client, "after");
  assert_int_equal(trp_simhub_silence(w->hub, "nonsense", 1, true), TRP_INVALID);
}

static void a_silence_may_end_early(void **state) {
  struct world *w = *state;
  open_pair(w);
  assert_int_equal(trp_simhub_silence(w->hub, SERVER, 1000 * MS, false), TRP_OK);
  assert_int_equal(say(w->server, w->peer, "soon"), TRP_OK);
  pump(w, 10 * MS);
  nothing_comes(w->client);
  assert_int_equal(trp_simhub_silence(w->hub, SERVER, 0, false), TRP_OK);
  pump(w, 0);
  hear(w, w->client, "soon");
}

static void a_half_open_peer_takes_everything_and_says_nothing(void **state) {
  struct world *w = *state;
  open_pair(w);
  trp_simhub_half_open(w->hub, SERVER);
  for (int i = 0; i < 5000; i++) assert_int_equal(say(w->client, w->link, "?"), TRP_OK);
  assert_int_equal(say(w->server, w->peer, "!"), TRP_OK);
  pump(w, 1000 * MS);
  nothing_comes(w->client);
  nothing_comes(w->server);
  w->client->ops->ws_close(w->client, w->link, 1000, "", 5000);
  w->client->ops->ws_close(w->client, w->link, 1000, "", 500); /* the earliest deadline holds */
  w->client->ops->ws_close(w->client, w->link, 1000, "", 5000);
  pump(w, 499 * MS);
  nothing_comes(w->client);
  pump(w, MS);
  take(w, w->client, TRP_NET_CLOSED);
  assert_false(w->event.proper);
  assert_int_equal(w->event.code, 1006);
  assert_int_equal(w->server->ops->live(w->server), 1); /* it never learns */
  w->server->ops->cancel(w->server, w->peer);
  nobody_is_left(w);
  open_pair(w); /* later connections are whole */
}

/* Sends on two links in turn; true where anything overtook anything of the other link. */
static bool overtakes(struct world *w, bool reorder) {
  set(w, (struct trp_simhub_conditions){.delay_max_ns = 10 * MS, .reorder = reorder});
  uint64_t links[2] = {dial(w, URL, 0), dial(w, URL, 0)};
  pump(w, 100 * MS);
  for (int i = 0; i < 2; i++) {
    take(w, w->client, TRP_NET_OPENED);
    take(w, w->server, TRP_NET_ACCEPTED);
  }
  for (unsigned char i = 0; i < 100; i++) {
    assert_int_equal(w->client->ops->ws_send(w->client, links[i % 2], true, &i, 1), TRP_OK);
  }
  pump(w, 100 * MS);
  bool overtaken = false;
  int last[2] = {-1, -1};
  for (int i = 0; i < 100; i++) {
    int number = *(const unsigned char *)take(w, w->server, TRP_NET_FRAME)->bytes;
    overtaken |= number != i;
    assert_true(number > last[number % 2]); /* never within a link */
    last[number % 2] = number;
  }
  return overtaken;
}

static void only_links_overtake_one_another_and_only_where_asked(void **state) {
  struct world *w = *state;
  assert_false(overtakes(w, false));
  assert_true(overtakes(w, true));
}

/* ---- one seed is one execution -------------------------------------------------------------- */

static size_t record(struct world *w, struct trp_net *net, char *trace, size_t at, size_t max) {
  while (net->ops->next(net, &w->event)) {
    const struct trp_net_event *e = &w->event;
    at += (size_t)snprintf(trace + at, max - at, "%d %llu %llu %zu\n", (int)e->kind,
                           (unsigned long long)e->link, (unsigned long long)e->at_ns, e->size);
    assert_true(at < max);
    if (e->kind == TRP_NET_ACCEPTED) (void)say(net, e->link, "welcome");
    if (e->kind == TRP_NET_FRAME && net == w->server) (void)say(net, e->link, "echo");
  }
  return at;
}

static void storm(uint64_t seed, char *trace, size_t max) {
  struct world *w = world_new(seed);
  set(w, (struct trp_simhub_conditions){.delay_min_ns = MS / 10,
                                        .delay_max_ns = 20 * MS,
                                        .reorder = true,
                                        .drop_ppm = 20000,
                                        .half_open_ppm = 5000});
  uint64_t links[8] = {0};
  size_t at = 0;
  for (int round = 0; round < 100; round++) {
    for (int i = 0; i < 8; i++) {
      if (say(w->client, links[i], "tick") == TRP_OK) continue;
      w->client->ops->cancel(w->client, links[i]);
      links[i] = dial(w, URL, 100);
    }
    pump(w, 7 * MS);
    at = record(w, w->client, trace, at, max);
    at = record(w, w->server, trace, at, max);
  }
  world_destroy(w); /* in the midst of it */
}

static void the_same_seed_gives_the_same_trace_and_another_another(void **state) {
  (void)state;
  enum { BYTES = 1 << 18 };
  char *traces = calloc(3, BYTES);
  assert_non_null(traces);
  storm(42, traces, BYTES);
  storm(42, traces + BYTES, BYTES);
  storm(43, traces + 2 * BYTES, BYTES);
  assert_true(strlen(traces) > 1000);
  assert_string_equal(traces, traces + BYTES);
  assert_string_not_equal(traces, traces + 2 * BYTES);
  free(traces);
}

static void connects_and_disconnects_leave_nothing(void **state) {
  struct world *w = *state;
  for (int i = 0; i < 2000; i++) {
    uint64_t link = dial(w, URL, 0);
    pump(w, MS);
    take(w, w->client, TRP_NET_OPENED);
    take(w, w->server, TRP_NET_ACCEPTED);
    w->client->ops->ws_close(w->client, link, 1000, "", 1000);
    pump(w, MS);
    take(w, w->client, TRP_NET_CLOSED);
    assert_true(take(w, w->server, TRP_NET_CLOSED)->proper);
    nobody_is_left(w);
  }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(each_obstacle_fails_with_its_own_error),
      CASE(a_gateway_answers_requests_instead_of_the_server),
      CASE(a_drop_is_abnormal_on_both_sides),
      CASE(a_silence_delays_or_loses),
      CASE(a_silence_may_end_early),
      CASE(a_half_open_peer_takes_everything_and_says_nothing),
      CASE(only_links_overtake_one_another_and_only_where_asked),
      CASE(connects_and_disconnects_leave_nothing),
      cmocka_unit_test(the_same_seed_gives_the_same_trace_and_another_another),
  };
  return cmocka_run_group_tests_name("net_sim_faults", tests, NULL, NULL);
}
