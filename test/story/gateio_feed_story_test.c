/* The feed with Gate.io's dialect in virtual time, against a server that says what the exchange
 * says: acknowledgements that repeat the id, a quote and a diff on subscription (before them), a
 * snapshot by HTTP, pongs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/gateio.h"
#include "test/story/feed_world.h"

#define UPDATE(channel, result)                                                                    \
  "{\"time\":1,\"channel\":\"" channel "\",\"event\":\"update\",\"result\":" result "}"

static uint32_t pings, subscribes, unsubscribes;

static void say(struct trp_net *net, uint64_t link, const char *text) {
  assert_int_equal(TRP_OK, net->ops->ws_send(net, link, false, text, strlen(text)));
}

static bool is_of(const char *text, const char *channel) { return strstr(text, channel) != NULL; }

static void data_of(struct trp_net *net, uint64_t link, const char *text) {
  if (is_of(text, "spot.book_ticker"))
    say(net, link,
        UPDATE("spot.book_ticker",
               "{\"t\":1700000000000,\"u\":7,\"s\":\"BTC_USDT\",\"b\":\"1.5\","
               "\"B\":\"2\",\"a\":\"1.6\",\"A\":\"3\"}"));
  if (is_of(text, "spot.order_book_update"))
    say(net, link,
        UPDATE("spot.order_book_update",
               "{\"t\":1700000000000,\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTC_USDT\",\"U\":99,"
               "\"u\":101,\"b\":[[\"1.4\",\"9\"]],\"a\":[]}"));
}

static void on_text(struct trp_net *net, const struct trp_net_event *event) {
  char text[512], answer[256];
  snprintf(text, sizeof text, "%.*s", (int)event->size, (const char *)event->bytes);
  if (is_of(text, "spot.ping")) {
    pings++;
    say(net, event->link, "{\"time\":1,\"channel\":\"spot.pong\",\"event\":\"\"}");
    return;
  }
  bool leave = is_of(text, "\"unsubscribe\"");
  const char *id = strstr(text, "\"id\":");
  assert_true(id != NULL && strstr(text, "\"time\":17000000") != NULL);
  subscribes += !leave;
  unsubscribes += leave;
  if (!leave) data_of(net, event->link, text);
  snprintf(answer, sizeof answer,
           "{\"time\":1,\"id\":%llu,\"channel\":\"spot.x\",\"event\":\"%s\",\"result\":{\"status\":"
           "\"success\"}}",
           strtoull(id + strlen("\"id\":"), NULL, 10), leave ? "unsubscribe" : "subscribe");
  say(net, event->link, answer);
}

static void serve(struct trp_net *net, const struct trp_net_event *event) {
  static const char body[] =
      "{\"id\":100,\"current\":1,\"update\":1,\"asks\":[[\"1.6\",\"1\"]],"
      "\"bids\":[[\"1.5\",\"1\"],[\"1.4\",\"1\"]]}";
  if (event->kind == TRP_NET_FRAME) on_text(net, event);
  if (event->kind != TRP_NET_REQUEST) return;
  assert_string_equal(event->path,
                      "/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=100&with_id=true");
  assert_int_equal(TRP_OK, net->ops->respond(net, event->link, 200, "application/json", NULL, body,
                                             sizeof body - 1));
}

static void begin_live(void) {
  static const char *const symbols[] = {"BTC_USDT", NULL};
  pings = subscribes = unsubscribes = 0;
  world_begin(&(struct world_options){.seed = 1,
                                      .feed_kind = &trp_gateio_feed_kind,
                                      .ws_base = FLAKY_URL,
                                      .http_base = "http://flaky.test:9001",
                                      .symbols = symbols,
                                      .heartbeat_ms = 30000,
                                      .stale_ms = 60000});
  world.flaky.serve = serve;
  assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
}

static struct keeper_row *row(void) {
  return feed_keeper_row(&world.keeper, trp_symbol_find("BTCUSDT.GATEIO"));
}

static void a_pair_streams_under_the_name_that_the_house_gives_it(void **state) {
  (void)state;
  begin_live();
  world_run_ms(100);
  assert_non_null(row());
  assert_true(row()->quotes == 1 && row()->quote.bid == 1.5 && row()->quote.ask_size == 3);
  assert_true(row()->whole && row()->sequence == 101);
  assert_int_equal(3, subscribes);
  world_run_ms(40000); /* nothing but pongs keeps the connection */
  assert_int_equal(4, pings);
  assert_int_equal(1, world.spy.attempt_count);
  assert_int_equal(TRP_INVALID, world_command("subscribe", "ETHUSDT", 1000));
  assert_int_equal(TRP_OK, world_command("unsubscribe", "BTCUSDT.GATEIO", 1000));
  world_run_ms(500);
  assert_int_equal(3, unsubscribes);
  world_end();
}

/* The new one stands and is level before the old one goes; what it repeats is not told again. */
static void an_upgrade_notice_brings_a_new_connection(void **state) {
  (void)state;
  begin_live();
  world.spy.streams_max = 2;
  say(world.flaky_net, world.flaky.link, UPDATE("spot.system", "{\"type\":\"upgrade\"}"));
  world_run_ms(2000);
  assert_int_equal(2, world.flaky.accepted);
  assert_int_equal(TRP_FEED_LIVE, world.phase);
  assert_int_equal(6, subscribes);
  assert_true(row()->whole && row()->quotes == 1 && row()->snapshots == 1);
  assert_int_equal(1, world_streams());
  assert_int_equal(0, world.keeper.feed_gaps);
  world_end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(a_pair_streams_under_the_name_that_the_house_gives_it,
                                world_tell_trace),
      cmocka_unit_test_teardown(an_upgrade_notice_brings_a_new_connection, world_tell_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
