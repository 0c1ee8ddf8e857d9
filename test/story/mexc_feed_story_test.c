/* The feed with MEXC's dialect in virtual time, against a server that says what the exchange says:
 * answers without ids whose code is always 0, binary data, thirty subscriptions a connection and
 * none for BADUSDT, pongs to the application's ping. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/mexc.h"
#include "test/story/feed_world.h"
#include "test/support/mexc_frames.h"

enum { SUBSCRIPTIONS_A_LINK = 30, SYMBOLS_A_LINK = 10, LINKS_SEEN_MAX = 64 };

static struct {
  uint32_t pings, refused;
  bool dumb; /* takes everything and says nothing */
  struct {
    uint64_t link;
    uint32_t subscriptions, most;
  } seen[LINKS_SEEN_MAX];
  uint32_t seen_count;
} server;

/* A peer that closes meanwhile hears no answer. */
static void send_to(uint64_t link, bool binary, const void *bytes, size_t size) {
  struct trp_net *net = world.flaky_net;
  enum trp_err err = net->ops->ws_send(net, link, binary, bytes, size);
  assert_true(err == TRP_OK || err == TRP_WRONG_STATE);
}

static void say(uint64_t link, const char *text) { send_to(link, false, text, strlen(text)); }

static void answer(uint64_t link, const char *format, const char *what) {
  char msg[256], text[320];
  snprintf(msg, sizeof msg, format, what);
  snprintf(text, sizeof text, "{\"id\":0,\"code\":0,\"msg\":\"%s\"}", msg);
  say(link, text);
}

static void push(uint64_t link) { send_to(link, true, mexc_frame.at, mexc_frame.size); }

static void data_of(uint64_t link, const char *channel, const char *symbol) {
  if (strstr(channel, "aggre.bookTicker") != NULL) {
    mexc_write_quote(symbol, "1.5", "1.6", "7");
    push(link);
  } else if (strstr(channel, "aggre.depth") != NULL) {
    mexc_write_diff(symbol, "1.4", "99", "101");
    push(link);
  }
}

static void count(uint64_t link, bool leave) {
  uint32_t i = 0;
  while (i < server.seen_count && server.seen[i].link != link) i++;
  assert_true(i < server.seen_count);
  server.seen[i].subscriptions += leave ? -1u : 1u;
  assert_true(server.seen[i].subscriptions <= SUBSCRIPTIONS_A_LINK);
  if (server.seen[i].subscriptions > server.seen[i].most)
    server.seen[i].most = server.seen[i].subscriptions;
}

static void on_text(const struct trp_net_event *event) {
  char text[512];
  snprintf(text, sizeof text, "%.*s", (int)event->size, (const char *)event->bytes);
  if (strcmp(text, "{\"method\":\"PING\"}") == 0) {
    server.pings++;
    answer(event->link, "%s", "PONG");
    return;
  }
  char *channel = strstr(text, "spot@");
  assert_non_null(channel);
  channel[strcspn(channel, "\"")] = '\0';
  const char *symbol = strrchr(channel, '@') + 1;
  bool leave = strstr(text, "\"UNSUBSCRIPTION\"") != NULL;
  if (strcmp(symbol, "BADUSDT") == 0) {
    server.refused++;
    answer(event->link, "Not Subscribed successfully! [%s].  Reason： Blocked! ", channel);
    return;
  }
  count(event->link, leave);
  if (!leave) data_of(event->link, channel, symbol);
  answer(event->link, "%s", channel);
}

static void serve(struct trp_net *net, const struct trp_net_event *event) {
  static const char body[] =
      "{\"lastUpdateId\":100,\"bids\":[[\"1.5\",\"1\"]],\"asks\":[[\"1.6\",\"1\"]]}";
  if (event->kind == TRP_NET_ACCEPTED) {
    assert_true(server.seen_count < LINKS_SEEN_MAX);
    server.seen[server.seen_count++].link = event->link;
  }
  if (server.dumb) return;
  if (event->kind == TRP_NET_FRAME) on_text(event);
  if (event->kind != TRP_NET_REQUEST) return;
  assert_non_null(strstr(event->path, "/api/v3/depth?symbol="));
  assert_int_equal(TRP_OK, net->ops->respond(net, event->link, 200, "application/json", NULL, body,
                                             sizeof body - 1));
}

static void begin(const char *const *symbols, uint32_t streams_at_once) {
  memset(&server, 0, sizeof server);
  world_begin(&(struct world_options){.seed = 1,
                                      .feed_kind = &trp_mexc_feed_kind,
                                      .ws_base = FLAKY_URL,
                                      .http_base = "http://flaky.test:9001",
                                      .symbols = symbols,
                                      .streams_at_once = streams_at_once,
                                      .heartbeat_ms = 45000,
                                      .stale_ms = 120000});
  world.flaky.serve = serve;
}

/* Twelve: two connections. */
static const char *const dozen[] = {"BTCUSDT", "ETHUSDT", "C02USDT", "C03USDT", "C04USDT",
                                    "C05USDT", "C06USDT", "C07USDT", "C08USDT", "C09USDT",
                                    "C10USDT", "C11USDT", NULL};

static void begin_dozen(void) {
  begin(dozen, 2);
  assert_true(world_until_phase(TRP_FEED_LIVE, 5000));
  assert_int_equal(2, world_streams());
}

/* Which of the two has the last two symbols: either may have stood first. */
static uint32_t the_smaller(void) { return server.seen[1].most < server.seen[0].most; }

static struct keeper_row *row(const char *symbol) {
  char name[TRP_SYMBOL_NAME_MAX + 1];
  snprintf(name, sizeof name, "%s.MEXC", symbol);
  struct keeper_row *found = feed_keeper_row(&world.keeper, trp_symbol_find(name));
  assert_non_null(found);
  return found;
}

static void everybody_has_data(uint64_t quotes) {
  for (int i = 0; dozen[i] != NULL; i++) {
    assert_int_equal(quotes, row(dozen[i])->quotes);
    assert_true(row(dozen[i])->whole && row(dozen[i])->sequence == 101);
    assert_true(row(dozen[i])->quote.bid == 1.5 && row(dozen[i])->quote.ask_size == 3);
  }
}

static void symbols_stream_over_as_many_connections_as_they_need(void **state) {
  (void)state;
  begin_dozen();
  world_run_ms(100);
  everybody_has_data(1);
  uint32_t small = the_smaller();
  assert_int_equal(SUBSCRIPTIONS_A_LINK, server.seen[1 - small].most);
  assert_int_equal(3 * (12 - SYMBOLS_A_LINK), server.seen[small].most);
  world_run_ms(60000); /* nothing but pongs keeps the connections */
  assert_int_equal(8, server.pings);
  assert_int_equal(2, world.spy.attempt_count);
  world_end();
}

static void a_refusal_with_the_code_zero_leaves_the_others_live(void **state) {
  (void)state;
  static const char *const symbols[] = {"BADUSDT", "BTCUSDT", NULL};
  begin(symbols, 1);
  assert_true(world_until_phase(TRP_FEED_LIVE, 5000));
  world_run_ms(30000);
  assert_int_equal(1, row("BTCUSDT")->quotes);
  assert_int_equal(3, server.refused); /* and not asked for again */
  assert_int_equal(1, world.spy.attempt_count);
  assert_int_equal(TRP_FEED_LIVE, world.phase);
  world_end();
}

static void a_connection_that_falls_silent_is_dialled_anew(void **state) {
  (void)state;
  begin_dozen();
  server.dumb = true;
  world_run_ms(44000);
  assert_int_equal(2, world.spy.attempt_count);
  world_run_ms(2000);
  assert_int_equal(4, world.spy.attempt_count);
  server.dumb = false;
  world_run_ms(10000); /* what was asked of the dumb one is not acknowledged: once more */
  assert_true(world_until_phase(TRP_FEED_LIVE, 60000));
  world_run_ms(100);
  everybody_has_data(2);
  world_end();
}

static void a_connection_that_is_closed_is_restored_and_the_other_streams_on(void **state) {
  (void)state;
  begin_dozen();
  world_run_ms(100);
  struct trp_net *net = world.flaky_net;
  net->ops->ws_close(net, server.seen[the_smaller()].link, 1000, "24 hours", 1000);
  world_run_ms(2000);
  assert_true(world_until_phase(TRP_FEED_LIVE, 3000));
  world_run_ms(100);
  assert_int_equal(3, world.spy.attempt_count);
  assert_int_equal(3 * (12 - SYMBOLS_A_LINK), server.seen[2].most);
  assert_int_equal(1, row("BTCUSDT")->quotes);
  assert_int_equal(2, row("C11USDT")->quotes);
  assert_true(row("C11USDT")->whole && row("C11USDT")->sequence == 101);
  world_end();
}

static void a_feed_without_symbols_keeps_no_connection(void **state) {
  (void)state;
  static const char *const none[] = {NULL};
  begin(none, 1);
  world_run_ms(60000);
  assert_int_equal(0, world.spy.attempt_count);
  assert_int_equal(TRP_FEED_STOPPED, world.phase);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(TRP_OK, world_command("subscribe", "BTCUSDT", 1000));
    assert_true(world_until_phase(TRP_FEED_LIVE, 5000));
    assert_int_equal(1, world_streams());
    assert_int_equal(TRP_OK, world_command("unsubscribe", "BTCUSDT.MEXC", 1000));
    assert_true(world_until_phase(TRP_FEED_STOPPED, 3000));
    world_run_ms(40000);
    assert_int_equal(0, world_streams());
    assert_int_equal(i + 1, (int)world.spy.attempt_count);
  }
  assert_int_equal(TRP_OK, world_command("disconnect", NULL, 1000));
  assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
  world_end();
}

static void a_feed_of_which_all_is_refused_keeps_no_connection(void **state) {
  (void)state;
  static const char *const symbols[] = {"BADUSDT", NULL};
  begin(symbols, 1);
  world_run_ms(120000);
  assert_int_equal(3, server.refused);
  assert_int_equal(1, world.spy.attempt_count);
  assert_int_equal(0, world_streams());
  assert_int_equal(TRP_FEED_STOPPED, world.phase);
  assert_int_equal(TRP_OK, world_command("subscribe", "BTCUSDT", 1000));
  assert_true(world_until_phase(TRP_FEED_LIVE, 5000));
  world_end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(symbols_stream_over_as_many_connections_as_they_need,
                                world_tell_trace),
      cmocka_unit_test_teardown(a_refusal_with_the_code_zero_leaves_the_others_live,
                                world_tell_trace),
      cmocka_unit_test_teardown(a_connection_that_falls_silent_is_dialled_anew, world_tell_trace),
      cmocka_unit_test_teardown(a_connection_that_is_closed_is_restored_and_the_other_streams_on,
                                world_tell_trace),
      cmocka_unit_test_teardown(a_feed_without_symbols_keeps_no_connection, world_tell_trace),
      cmocka_unit_test_teardown(a_feed_of_which_all_is_refused_keeps_no_connection,
                                world_tell_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
