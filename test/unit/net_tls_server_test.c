/* The real net as a server with TLS: it talks to who trusts it, and nobody else disturbs it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adapters/net_lws.h"
#include "test/support/net_tls_peer.h"

#define PATIENCE_MS 5000
#define MS TRP_NS_PER_MS

enum { CA, CERT, KEY, OTHER_CA, OTHER_CERT, OTHER_KEY, FILES };

static char folder[] = "/tmp/troupe-tls-XXXXXX";
static char files[FILES][64];
static struct trp_net *server, *client;
static uint16_t port;
static uint64_t server_peer; /* the WebSocket that the server has accepted last */

void __attribute__((weak)) trp_notify(struct trp_system *system, struct trp_ref slot) {
  (void)system;
  (void)slot;
}

static int make_files(void **state) {
  (void)state;
  static const char *const names[FILES] = {"ca",       "cert",       "key",
                                           "other-ca", "other-cert", "other-key"};
  signal(SIGPIPE, SIG_IGN);
  if (mkdtemp(folder) == NULL) return -1;
  for (int i = 0; i < FILES; i++) {
    snprintf(files[i], sizeof files[i], "%s/%s.pem", folder, names[i]);
  }
  return trp_tls_peer_files("DNS:localhost,IP:127.0.0.1", files[CA], files[CERT], files[KEY]) &&
                 trp_tls_peer_files("DNS:elsewhere", files[OTHER_CA], files[OTHER_CERT],
                                    files[OTHER_KEY])
             ? 0
             : -1;
}

static int remove_files(void **state) {
  (void)state;
  for (int i = 0; i < FILES; i++) unlink(files[i]);
  return rmdir(folder);
}

static int set_up(void **state) {
  (void)state;
  const struct trp_net_options options = {.tls_cert = files[CERT], .tls_key = files[KEY]};
  port = 0;
  return trp_net_lws_new(&server, &options) == TRP_OK && trp_net_lws_new(&client, NULL) == TRP_OK &&
                 server->ops->listen(server, "127.0.0.1", &port) == TRP_OK
             ? 0
             : -1;
}

static int tear_down(void **state) {
  (void)state;
  trp_net_destroy(&client);
  trp_net_destroy(&server);
  return 0;
}

/* The server echoes every frame and answers every request with "yes". */
static void serve(void) {
  struct trp_net_event event;
  server->loop.run(&server->loop, trp_net_lws_now_ns() + MS);
  while (server->ops->next(server, &event)) {
    if (event.kind == TRP_NET_ACCEPTED) server_peer = event.link;
    if (event.kind == TRP_NET_FRAME) {
      assert_int_equal(
          TRP_OK, server->ops->ws_send(server, event.link, event.binary, event.bytes, event.size));
    } else if (event.kind == TRP_NET_REQUEST) {
      assert_true(event.peer != 0);
      assert_int_equal(TRP_OK, server->ops->respond(server, event.link, 200, NULL, NULL, "yes", 3));
    }
  }
}

static struct trp_net_event await(enum trp_net_event_kind kind) {
  struct trp_net_event event = {0};
  uint64_t end = trp_net_lws_now_ns() + PATIENCE_MS * MS;
  while (!client->ops->next(client, &event) && trp_net_lws_now_ns() < end) {
    client->loop.run(&client->loop, trp_net_lws_now_ns() + MS);
    serve();
  }
  assert_int_equal(kind, event.kind);
  return event;
}

static uint64_t start(const char *scheme, const char *ca_file) {
  char url[64];
  uint64_t link = 0;
  snprintf(url, sizeof url, "%s://127.0.0.1:%u/ws", scheme, port);
  struct trp_net_request request = {.url = url, .ca_file = ca_file, .timeout_ms = 4000};
  assert_int_equal(TRP_OK, (scheme[0] == 'h' ? client->ops->http_send : client->ops->ws_open)(
                               client, &request, &link));
  return link;
}

static void a_websocket_and_a_request_are_served_over_tls(void **state) {
  (void)state;
  uint64_t link = start("wss", files[CA]);
  (void)await(TRP_NET_OPENED);
  for (size_t size = 1; size <= 100000; size *= 100) {
    char *text = malloc(size);
    memset(text, 'x', size);
    assert_int_equal(TRP_OK, client->ops->ws_send(client, link, false, text, size));
    assert_int_equal(size, await(TRP_NET_FRAME).size);
    free(text);
  }
  start("https", files[CA]);
  struct trp_net_event response = await(TRP_NET_RESPONSE);
  assert_int_equal(200, response.status);
  assert_memory_equal("yes", response.bytes, 3);
  client->ops->ws_close(client, link, 1000, "bye", 1000);
  assert_true(await(TRP_NET_CLOSED).proper);
}

static void the_server_closes_over_tls_with_a_close_frame(void **state) {
  (void)state;
  start("wss", files[CA]);
  (void)await(TRP_NET_OPENED);
  while (server->ops->live(server) == 0) serve();
  server->ops->ws_close(server, server_peer, 1001, "going away", 1000);
  struct trp_net_event closed = await(TRP_NET_CLOSED);
  assert_true(closed.proper);
  assert_int_equal(1001, closed.code);
}

static void who_does_not_trust_it_or_speaks_plainly_is_turned_away(void **state) {
  (void)state;
  start("wss", files[OTHER_CA]);
  assert_int_equal(TRP_TLS, await(TRP_NET_FAILED).err);
  start("ws", NULL);
  (void)await(TRP_NET_FAILED);
  start("http", NULL);
  (void)await(TRP_NET_FAILED);
  start("https", files[CA]);
  assert_int_equal(200, await(TRP_NET_RESPONSE).status);
}

static void nonsense_instead_of_a_handshake_disturbs_nobody(void **state) {
  (void)state;
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fds[8];
  for (int i = 0; i < 8; i++) {
    fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, connect(fds[i], (struct sockaddr *)&address, sizeof address));
    if (i % 2 == 0)
      assert_int_equal(7, send(fds[i], "\x16\x03\x01\xff\xff\x01\x00", 7, MSG_NOSIGNAL));
    if (i % 4 == 1) close(fds[i]);
  }
  start("https", files[CA]);
  assert_int_equal(200, await(TRP_NET_RESPONSE).status);
  for (int i = 0; i < 8; i++) {
    if (i % 4 != 1) close(fds[i]);
  }
}

static void files_that_do_not_fit_are_named_as_invalid(void **state) {
  (void)state;
  const struct trp_net_options wrong[] = {{.tls_cert = files[CERT], .tls_key = files[OTHER_KEY]},
                                          {.tls_cert = "/nonexistent", .tls_key = files[KEY]},
                                          {.tls_cert = files[CERT], .tls_key = "/nonexistent"},
                                          {.tls_cert = files[KEY], .tls_key = files[KEY]},
                                          {.tls_cert = files[CERT]}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct trp_net *net = NULL;
    assert_int_equal(TRP_INVALID, trp_net_lws_new(&net, &wrong[i]));
    assert_null(net);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(a_websocket_and_a_request_are_served_over_tls),
      TEST(the_server_closes_over_tls_with_a_close_frame),
      TEST(who_does_not_trust_it_or_speaks_plainly_is_turned_away),
      TEST(nonsense_instead_of_a_handshake_disturbs_nobody),
      cmocka_unit_test(files_that_do_not_fit_are_named_as_invalid),
  };
  return cmocka_run_group_tests(tests, make_files, remove_files);
}
