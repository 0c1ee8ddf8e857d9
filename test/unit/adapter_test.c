/* Adapters by name, and their options as texts: what is right arrives where it belongs, and what is
 * wrong is told with key, value and what is allowed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "adapters/adapter.h"

static struct trp_adapter_config *config;
static char why[512];

static int drop(void **state) {
  (void)state;
  trp_adapter_config_destroy(&config);
  trp_adapter_config_destroy(&config);
  return 0;
}

static enum trp_err make(const char *name, const char *const options[]) {
  size_t count = 0;
  while (options[count] != NULL) count++;
  trp_adapter_config_destroy(&config);
  return trp_adapter_config_new(&config, name, options, count, why, sizeof why);
}

#define MAKE(name, ...) make(name, (const char *const[]){__VA_ARGS__, NULL})

static void refused(const char *name, const char *option, const char *expected) {
  assert_int_equal(MAKE(name, option), TRP_INVALID);
  assert_null(config);
  assert_string_equal(why, expected);
}

static void each_exchange_has_its_adapter(void **state) {
  (void)state;
  size_t count = 0;
  for (; trp_adapter_at(count) != NULL; count++) {
    const struct trp_adapter *adapter = trp_adapter_at(count);
    assert_string_equal(adapter->name, adapter->dialect->name);
    assert_ptr_equal(adapter, trp_adapter_find(adapter->name, why, sizeof why));
    assert_int_equal(make(adapter->name, (const char *const[]){NULL}), TRP_OK);
    assert_null(config->feed.ws_base); /* nothing said: the feed's own defaults */
  }
  assert_int_equal(count, 3);
}

static void an_unknown_adapter_is_named_with_the_nearest(void **state) {
  (void)state;
  assert_int_equal(MAKE("binanec", "symbols=BTCUSDT"), TRP_INVALID);
  assert_string_equal(why,
                      "there is no adapter 'binanec'; did you mean 'binance'? There are binance, "
                      "gateio, mexc");
  assert_null(trp_adapter_find("kraken", why, sizeof why));
  assert_string_equal(why, "there is no adapter 'kraken'. There are binance, gateio, mexc");
}

static void options_arrive_where_they_belong(void **state) {
  (void)state;
  assert_int_equal(MAKE("gateio", "symbols=BTC_USDT,ETH_USDT", "streams=quotes,book",
                        "ws_base=ws://127.0.0.1:9000", "http_base=http://127.0.0.1:9000",
                        "stay_disconnected=yes", "stale_ms=5000", "backoff_max_ms=7"),
                   TRP_OK);
  const struct trp_feed_options *feed = &config->feed;
  assert_int_equal(feed->symbol_count, 2);
  assert_string_equal(feed->symbols[0], "BTC_USDT");
  assert_string_equal(feed->symbols[1], "ETH_USDT");
  assert_int_equal(feed->protocol.streams, TRP_STREAM_QUOTES | TRP_STREAM_BOOK);
  assert_string_equal(feed->ws_base, "ws://127.0.0.1:9000");
  assert_string_equal(feed->http_base, "http://127.0.0.1:9000");
  assert_true(feed->stay_disconnected);
  assert_int_equal(feed->protocol.stale_ms, 5000);
  assert_int_equal(feed->backoff.max_ms, 7);
  assert_int_equal(feed->connect_ms, 0);
}

static void a_config_makes_the_spec_of_its_actor(void **state) {
  (void)state;
  struct trp_net net = {0};
  assert_int_equal(MAKE("mexc", "symbols=BTCUSDT"), TRP_OK);
  struct trp_spec spec = trp_adapter_spec(config, &net);
  assert_string_equal(spec.name, "mexc");
  assert_ptr_equal(spec.loop, &net.loop);
  assert_ptr_equal(spec.args, &config->feed);
  assert_ptr_equal(config->feed.net, &net);
}

static void an_unknown_key_is_named_with_the_nearest(void **state) {
  (void)state;
  assert_int_equal(MAKE("binance", "symbls=BTCUSDT"), TRP_INVALID);
  const char *expected = "binance: there is no option 'symbls'; did you mean 'symbols'? There are ";
  assert_memory_equal(why, expected, strlen(expected));
  assert_non_null(strstr(why, ", ca_file, "));
  assert_int_equal(MAKE("binance", "colour=blue"), TRP_INVALID);
  assert_null(strstr(why, "did you mean"));
}

static void a_wrong_value_is_told_with_what_is_allowed(void **state) {
  (void)state;
  refused("binance", "stale_ms=soon", "binance: stale_ms=soon: takes a number from 1 to 3600000");
  refused("binance", "stale_ms=0", "binance: stale_ms=0: takes a number from 1 to 3600000");
  refused("binance", "stale_ms=-1", "binance: stale_ms=-1: takes a number from 1 to 3600000");
  refused("binance", "stale_ms=18446744073709551617",
          "binance: stale_ms=18446744073709551617: takes a number from 1 to 3600000");
  refused("binance", "stale_ms=5x", "binance: stale_ms=5x: takes a number from 1 to 3600000");
  refused("binance", "stale_ms", "binance: stale_ms=: an option reads KEY=VALUE");
  refused("gateio", "mode=both", "gateio: mode=both: takes auto, stream or poll");
  refused("mexc", "stay_disconnected=1", "mexc: stay_disconnected=1: takes yes or no");
  refused("mexc", "events=", "mexc: events=: takes a text of 1 to 47 bytes");
}

static void the_exchange_sets_the_bounds_of_what_is_its_own(void **state) {
  (void)state;
  refused("binance", "texts_per_s=5", "binance: texts_per_s=5: takes a number from 1 to 4");
  assert_int_equal(MAKE("mexc", "texts_per_s=5"), TRP_OK);
  refused("gateio", "snapshot_limit=1001",
          "gateio: snapshot_limit=1001: takes a number from 1 to 1000");
  refused("binance", "ping_ms=1000", "binance: ping_ms=1000: the exchange pings by itself");
  refused("mexc", "symbols_max=321",
          "mexc: symbols_max=321: with 3 streams a symbol there is room for 320");
  assert_int_equal(MAKE("mexc", "symbols_max=321", "streams=quotes,depth"), TRP_OK);
  refused("mexc", "streams=quotes,book",
          "mexc: streams=quotes,book: there is no stream 'book' here. There are depth, quotes, "
          "trades");
  refused("gateio", "streams=depth,book",
          "gateio: streams=depth,book: depth and book exclude each other");
  refused("gateio", "streams=quote",
          "gateio: streams=quote: there is no stream 'quote' here; did you mean 'quotes'? There "
          "are book, depth, quotes, tickers, trades");
}

static void symbols_are_read_as_the_exchange_writes_them(void **state) {
  (void)state;
  refused("gateio", "symbols=BTC_USDT,ETHUSDT",
          "gateio: symbols=BTC_USDT,ETHUSDT: 'ETHUSDT' is no symbol here: one reads BTC_USDT");
  refused("mexc", "symbols=BTCUSDT,,ETHUSDT",
          "mexc: symbols=BTCUSDT,,ETHUSDT: '' is no symbol here: one reads BTCUSDT");
  refused("mexc", "symbols=BTCUSDT,BTCUSDT",
          "mexc: symbols=BTCUSDT,BTCUSDT: BTCUSDT is there twice");
  assert_int_equal(MAKE("mexc", "symbols=A,B,C", "symbols_max=2"), TRP_INVALID);
  assert_string_equal(why, "mexc: symbols_max=2: symbols has 3");
}

static void a_base_url_is_tried_with_what_will_stand_behind_it(void **state) {
  (void)state;
  refused("binance", "ws_base=http://a.test",
          "binance: ws_base=http://a.test: takes a URL like wss://stream.binance.com:9443, of at "
          "most 255 bytes");
  refused("binance", "http_base=ws://a.test",
          "binance: http_base=ws://a.test: takes a URL like https://api.binance.com, of at most "
          "255 bytes");
  assert_int_equal(MAKE("binance", "ws_base=nonsense"), TRP_INVALID);
  assert_int_equal(MAKE("binance", "ws_base=ws://a.test?x=1"), TRP_INVALID);
  assert_int_equal(MAKE("binance", "ws_base=wss://a.test:1/under"), TRP_OK);
}

static void twice_the_same_key_is_refused(void **state) {
  (void)state;
  assert_int_equal(MAKE("binance", "stale_ms=1", "stale_ms=2"), TRP_INVALID);
  assert_string_equal(why, "binance: stale_ms=2: is given twice");
}

static void a_short_buffer_gets_what_fits(void **state) {
  (void)state;
  const char *const options[] = {"symbls=BTCUSDT"};
  char few[8];
  for (size_t size = 1; size <= sizeof few; size++) {
    memset(few, 'x', sizeof few);
    assert_int_equal(trp_adapter_config_new(&config, "binance", options, 1, few, size),
                     TRP_INVALID);
    assert_int_equal(strlen(few), size - 1);
  }
  assert_null(trp_adapter_find("nobody", few, sizeof few));
  assert_string_equal(few, "there i");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(each_exchange_has_its_adapter, drop),
      cmocka_unit_test_teardown(an_unknown_adapter_is_named_with_the_nearest, drop),
      cmocka_unit_test_teardown(options_arrive_where_they_belong, drop),
      cmocka_unit_test_teardown(a_config_makes_the_spec_of_its_actor, drop),
      cmocka_unit_test_teardown(an_unknown_key_is_named_with_the_nearest, drop),
      cmocka_unit_test_teardown(a_wrong_value_is_told_with_what_is_allowed, drop),
      cmocka_unit_test_teardown(the_exchange_sets_the_bounds_of_what_is_its_own, drop),
      cmocka_unit_test_teardown(symbols_are_read_as_the_exchange_writes_them, drop),
      cmocka_unit_test_teardown(a_base_url_is_tried_with_what_will_stand_behind_it, drop),
      cmocka_unit_test_teardown(twice_the_same_key_is_refused, drop),
      cmocka_unit_test_teardown(a_short_buffer_gets_what_fits, drop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
