/* The real net and TLS: whom it trusts, and that nets do not disturb each other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/net_lws.h"
#include "test/support/net_tls_peer.h"

#define PATIENCE_MS 5000
#define MS TRP_NS_PER_MS

static char folder[] = "/tmp/troupe-tls-XXXXXX";
static char good_ca[64];
static char other_ca[64];
static char slow_ca[64];
static struct trp_tls_peer *good;  /* is called localhost and 127.0.0.1 */
static struct trp_tls_peer *other; /* is called something else */
static struct trp_tls_peer *slow;  /* takes its time before it answers */
static struct trp_net *net;
static char url[128];

void __attribute__((weak)) trp_notify(struct trp_system *system, struct trp_ref slot) {
  (void)system;
  (void)slot;
}

static int start_peers(void **state) {
  (void)state;
  signal(SIGPIPE, SIG_IGN);
  if (mkdtemp(folder) == NULL) {
    return -1;
  }
  snprintf(good_ca, sizeof good_ca, "%s/good.pem", folder);
  snprintf(slow_ca, sizeof slow_ca, "%s/slow.pem", folder);
  snprintf(other_ca, sizeof other_ca, "%s/other.pem", folder);
  good = trp_tls_peer_start("DNS:localhost,IP:127.0.0.1", good_ca, 0);
  slow = trp_tls_peer_start("DNS:localhost,IP:127.0.0.1", slow_ca, 40);
  other = trp_tls_peer_start("DNS:elsewhere.test", other_ca, 0);
  return good != NULL && other != NULL && slow != NULL ? 0 : -1;
}

static int stop_peers(void **state) {
  (void)state;
  trp_tls_peer_stop(&good);
  trp_tls_peer_stop(&other);
  trp_tls_peer_stop(&slow);
  unlink(good_ca);
  unlink(other_ca);
  unlink(slow_ca);
  return rmdir(folder);
}

static int set_up(void **state) {
  (void)state;
  return trp_net_lws_new(&net, NULL) == TRP_OK ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  trp_net_destroy(&net);
  return 0;
}

static struct trp_net_event await(struct trp_net *who, enum trp_net_event_kind kind) {
  struct trp_net_event event = {0};
  uint64_t end = trp_net_lws_now_ns() + PATIENCE_MS * MS;
  while (!who->ops->next(who, &event) && trp_net_lws_now_ns() < end) {
    who->loop.run(&who->loop, trp_net_lws_now_ns() + MS);
  }
  assert_int_equal(event.kind, kind);
  return event;
}

static struct trp_net_request request_of(const char *scheme, const char *host,
                                         const struct trp_tls_peer *peer, const char *ca_file) {
  snprintf(url, sizeof url, "%s://%s:%u/", scheme, host, (unsigned)trp_tls_peer_port(peer));
  return (struct trp_net_request){.url = url, .ca_file = ca_file, .timeout_ms = 4000};
}

static uint64_t start(struct trp_net *who, const struct trp_net_request *request) {
  uint64_t link = 0;
  bool http = strncmp(request->url, "http", 4) == 0;
  assert_int_equal((http ? who->ops->http_send : who->ops->ws_open)(who, request, &link), TRP_OK);
  return link;
}

static void assert_refused(struct trp_net_request request) {
  start(net, &request);
  struct trp_net_event failed = await(net, TRP_NET_FAILED);
  assert_int_equal(failed.err, TRP_TLS);
  assert_true(strlen(failed.reason) > 0);
  assert_int_equal(net->ops->live(net), 0);
}

static void a_response_comes_over_tls(void **state) {
  (void)state;
  const char *const hosts[] = {"127.0.0.1", "localhost"};
  for (int i = 0; i < 2; i++) {
    struct trp_net_request request = request_of("https", hosts[i], good, good_ca);
    start(net, &request);
    struct trp_net_event response = await(net, TRP_NET_RESPONSE);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.size, 2);
    assert_memory_equal(response.bytes, "ok", 2);
  }
}

static void a_websocket_talks_over_tls(void **state) {
  (void)state;
  struct trp_net_request request = request_of("wss", "localhost", good, good_ca);
  uint64_t link = start(net, &request);
  assert_int_equal(await(net, TRP_NET_OPENED).link, link);
  struct trp_net_event frame = await(net, TRP_NET_FRAME);
  assert_int_equal(frame.size, 5);
  assert_memory_equal(frame.bytes, "hello", 5);
  net->ops->ws_close(net, link, 1000, "", 100);
  struct trp_net_event closed = {0};
  while (closed.kind != TRP_NET_CLOSED) { /* a PING may come before */
    net->loop.run(&net->loop, trp_net_lws_now_ns() + MS);
    net->ops->next(net, &closed);
  }
}

static void a_wrong_authority_is_refused(void **state) {
  (void)state;
  assert_refused(request_of("https", "127.0.0.1", good, other_ca));
  assert_refused(request_of("wss", "127.0.0.1", good, other_ca));
  assert_refused(request_of("https", "127.0.0.1", good, NULL)); /* the system knows none of ours */
  assert_refused(request_of("https", "127.0.0.1", good, "/nonexistent.pem"));
}

static void a_wrong_name_is_refused(void **state) {
  (void)state;
  assert_refused(request_of("https", "127.0.0.1", other, other_ca));
  assert_refused(request_of("wss", "localhost", other, other_ca));
}

static void the_reason_of_a_refusal_names_the_certificate(void **state) {
  (void)state;
  struct trp_net_request request = request_of("https", "localhost", other, other_ca);
  start(net, &request);
  assert_non_null(strstr(await(net, TRP_NET_FAILED).reason, "ostname mismatch"));
}

/* libwebsockets 4.1.6 breaks the handshakes under way when OpenSSL is initialised anew. */
static void a_second_net_disturbs_no_handshake(void **state) {
  (void)state;
  struct trp_net *second;
  struct trp_net_request request = request_of("https", "127.0.0.1", slow, slow_ca);
  start(net, &request);
  net->loop.run(&net->loop, trp_net_lws_now_ns() + 10 * MS); /* the client has said hello */
  assert_int_equal(trp_net_lws_new(&second, NULL), TRP_OK);
  await(net, TRP_NET_RESPONSE);
  start(second, &request);
  await(second, TRP_NET_RESPONSE);
  struct trp_net_request bad = request_of("https", "127.0.0.1", good, other_ca);
  start(second, &bad);
  assert_int_equal(await(second, TRP_NET_FAILED).err, TRP_TLS);
  trp_net_destroy(&second);
}

static void a_cancel_within_the_handshake_is_silent(void **state) {
  (void)state;
  struct trp_net_event event;
  for (int turns = 0; turns < 8; turns++) {
    struct trp_net_request request = request_of("wss", "127.0.0.1", good, good_ca);
    uint64_t link = start(net, &request);
    for (int i = 0; i < turns; i++) {
      usleep(300);
      net->loop.run(&net->loop, 0);
    }
    net->ops->cancel(net, link);
    assert_int_equal(net->ops->live(net), 0);
    net->loop.run(&net->loop, trp_net_lws_now_ns() + 2 * MS);
    assert_false(net->ops->next(net, &event));
  }
}

static void there_is_a_bound_on_authorities(void **state) {
  (void)state;
  char path[32];
  uint64_t link;
  for (unsigned i = 0; i <= TRP_NET_AUTHORITIES_MAX; i++) {
    snprintf(path, sizeof path, "/nonexistent/%u.pem", i);
    struct trp_net_request request = request_of("https", "127.0.0.1", good, path);
    enum trp_err err = net->ops->http_send(net, &request, &link);
    assert_int_equal(err, i < TRP_NET_AUTHORITIES_MAX ? TRP_OK : TRP_LIMIT);
    net->ops->cancel(net, link);
  }
  assert_int_equal(net->ops->live(net), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(a_response_comes_over_tls),
      TEST(a_websocket_talks_over_tls),
      TEST(a_wrong_authority_is_refused),
      TEST(a_wrong_name_is_refused),
      TEST(the_reason_of_a_refusal_names_the_certificate),
      TEST(a_second_net_disturbs_no_handshake),
      TEST(a_cancel_within_the_handshake_is_silent),
      TEST(there_is_a_bound_on_authorities),
  };
  return cmocka_run_group_tests(tests, start_peers, stop_peers);
}
