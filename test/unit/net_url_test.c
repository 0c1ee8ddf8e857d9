#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "adapters/net_url.h"

static struct trp_net_url read_url(const char *text) {
  struct trp_net_url url;
  assert_int_equal(trp_net_url_parse(&url, text), TRP_OK);
  return url;
}

static void assert_refused(const char *text) {
  struct trp_net_url url;
  assert_int_equal(trp_net_url_parse(&url, text), TRP_INVALID);
}

static void each_scheme_has_its_port_and_its_meaning(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint16_t port;
    bool websocket, tls;
  } cases[] = {
      {"ws://h", 80, true, false},     {"wss://h", 443, true, true}, {"http://h", 80, false, false},
      {"https://h", 443, false, true}, {"WSS://h", 443, true, true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct trp_net_url url = read_url(cases[i].text);
    assert_int_equal(url.port, cases[i].port);
    assert_int_equal(url.websocket, cases[i].websocket);
    assert_int_equal(url.tls, cases[i].tls);
    assert_string_equal(url.host, "h");
    assert_string_equal(url.authority, "h");
    assert_string_equal(url.path, "/");
  }
}

static void host_port_and_path_are_taken_apart(void **state) {
  (void)state;
  struct trp_net_url url = read_url("wss://Stream.Binance.COM:9443/stream?streams=a@b/c@d");
  assert_string_equal(url.host, "stream.binance.com");
  assert_string_equal(url.authority, "stream.binance.com:9443");
  assert_string_equal(url.path, "/stream?streams=a@b/c@d");
  assert_int_equal(url.port, 9443);
  assert_int_equal(url.family, 0);
}

static void a_query_without_a_path_gets_its_slash(void **state) {
  (void)state;
  assert_string_equal(read_url("http://h?a=1").path, "/?a=1");
  assert_string_equal(read_url("http://h:81?a=1").path, "/?a=1");
}

static void addresses_are_known_as_such(void **state) {
  (void)state;
  assert_int_equal(read_url("ws://127.0.0.1:1").family, 4);
  struct trp_net_url url = read_url("ws://[::1]:9000/x");
  assert_int_equal(url.family, 6);
  assert_string_equal(url.host, "::1");
  assert_string_equal(url.authority, "[::1]:9000");
  assert_int_equal(url.port, 9000);
  assert_string_equal(read_url("ws://[FE80::1]").authority, "[fe80::1]");
}

static void the_usual_port_is_not_repeated_in_the_authority(void **state) {
  (void)state;
  assert_string_equal(read_url("wss://h:443/").authority, "h");
  assert_string_equal(read_url("wss://h:80/").authority, "h:80");
}

static void what_is_no_url_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "h",
      "ws:/h",
      "ws://",
      "ftp://h",
      "ws://:80",
      "ws://h:",
      "ws://h:0",
      "ws://h:65536",
      "ws://h:8x",
      "ws://h:99999999999999999999",
      "ws://h /",
      "ws://h/ x",
      "ws://h/\r\nX: y",
      "ws://h/#f",
      "ws://u@h/",
      "ws://h/\x80",
      "ws://[::1",
      "ws://[]/",
      "ws://[::1]x",
      "ws://[127.0.0.1]",
      "ws://[g::]",
      "ws://a,b/",
      "ws://h\\x",
      "ws:///path",
  };
  assert_refused(NULL);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_refused(bad[i]);
  }
}

static void lengths_are_bounded_exactly(void **state) {
  (void)state;
  char text[TRP_NET_HOST_MAX + TRP_NET_PATH_MAX + 64];
  int n = snprintf(text, sizeof text, "ws://");
  memset(text + n, 'a', TRP_NET_HOST_MAX + 1);
  text[(size_t)n + TRP_NET_HOST_MAX] = '\0';
  assert_int_equal(strlen(read_url(text).host), TRP_NET_HOST_MAX);
  text[(size_t)n + TRP_NET_HOST_MAX] = 'a';
  text[(size_t)n + TRP_NET_HOST_MAX + 1] = '\0';
  assert_refused(text);

  n = snprintf(text, sizeof text, "ws://h/");
  memset(text + n, 'p', TRP_NET_PATH_MAX);
  text[(size_t)n + TRP_NET_PATH_MAX - 1] = '\0';
  assert_int_equal(strlen(read_url(text).path), TRP_NET_PATH_MAX);
  text[(size_t)n + TRP_NET_PATH_MAX - 1] = 'p';
  text[(size_t)n + TRP_NET_PATH_MAX] = '\0';
  assert_refused(text);

  n = snprintf(text, sizeof text, "ws://h?"); /* the slash is added to it */
  memset(text + n, 'q', TRP_NET_PATH_MAX);
  text[(size_t)n + TRP_NET_PATH_MAX - 1] = '\0';
  assert_int_equal(strlen(read_url(text).path), TRP_NET_PATH_MAX + 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_scheme_has_its_port_and_its_meaning),
      cmocka_unit_test(host_port_and_path_are_taken_apart),
      cmocka_unit_test(a_query_without_a_path_gets_its_slash),
      cmocka_unit_test(addresses_are_known_as_such),
      cmocka_unit_test(the_usual_port_is_not_repeated_in_the_authority),
      cmocka_unit_test(what_is_no_url_is_refused),
      cmocka_unit_test(lengths_are_bounded_exactly),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
