/* The built program as an exchange of its own: each dialect is served, obeys troupe ctl, and ends
 * clean; with TLS to who trusts it. */
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
#include "test/support/process.h"

enum { PATIENCE_MS = 10000 };

static struct trp_net *net;

void __attribute__((weak)) trp_notify(struct trp_system *system, struct trp_ref slot) {
  (void)system;
  (void)slot;
}

static int open_net(void **state) {
  (void)state;
  signal(SIGPIPE, SIG_IGN);
  setenv("XDG_RUNTIME_DIR", process_folder(), 1);
  return trp_net_lws_new(&net, NULL) == TRP_OK ? 0 : -1;
}

static int close_net(void **state) {
  (void)state;
  trp_net_destroy(&net);
  return 0;
}

/* The port that a started exchange says it listens on. */
static unsigned port_of(const struct process *process) {
  assert_true(process_wait_text(process->out, "listening on ", PATIENCE_MS * process_slowness()));
  const char *text = strstr(process_read(process->out), "listening on 127.0.0.1:");
  assert_non_null(text);
  return (unsigned)strtoul(text + strlen("listening on 127.0.0.1:"), NULL, 10);
}

static struct trp_net_event await(enum trp_net_event_kind kind) {
  struct trp_net_event event = {0};
  uint64_t end = trp_net_lws_now_ns() + PATIENCE_MS * process_slowness() * TRP_NS_PER_MS;
  do {
    net->loop.run(&net->loop, trp_net_lws_now_ns() + TRP_NS_PER_MS);
  } while (!net->ops->next(net, &event) && trp_net_lws_now_ns() < end);
  assert_int_equal(kind, event.kind);
  return event;
}

static uint64_t dial(const char *scheme, unsigned port, const char *path, const char *ca_file) {
  char url[128];
  uint64_t link = 0;
  snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", scheme, port, path);
  struct trp_net_request request = {.url = url, .ca_file = ca_file, .timeout_ms = PATIENCE_MS};
  assert_int_equal(
      TRP_OK, (scheme[0] == 'h' ? net->ops->http_send : net->ops->ws_open)(net, &request, &link));
  return link;
}

static void end_well(struct process *process) {
  kill(process->pid, SIGTERM);
  assert_int_equal(0, process_wait(process, PATIENCE_MS * process_slowness()));
  assert_null(strstr(process_read(process->err), "ERROR"));
}

static void each_dialect_is_served_under_its_paths_and_obeys_ctl(void **state) {
  (void)state;
  static const struct {
    const char *dialect, *ws, *ask, *answer, *rest;
  } cases[] = {
      {"binance", "/ws", "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}", "{\"result\":[]",
       "/api/v3/time"},
      {"gateio", "/ws/v4/", "{\"channel\":\"spot.ping\"}", "{\"time\":", "/api/v4/spot/time"},
      {"mexc", "/ws", "{\"method\":\"PING\"}", "{\"id\":0,\"code\":0,\"msg\":\"PONG\"}",
       "/api/v3/time"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct process process = {0};
    const char *out;
    process_start(&process, (const char *const[]){"exchange", "--dialect", cases[i].dialect,
                                                  "--listen", "127.0.0.1:0", NULL});
    unsigned port = port_of(&process);
    assert_non_null(strstr(process_read(process.out), "BTCUSDT ETHUSDT"));
    (void)dial("http", port, cases[i].rest, NULL);
    assert_int_equal(200, await(TRP_NET_RESPONSE).status);
    uint64_t link = dial("ws", port, cases[i].ws, NULL);
    (void)await(TRP_NET_OPENED);
    assert_int_equal(TRP_OK,
                     net->ops->ws_send(net, link, false, cases[i].ask, strlen(cases[i].ask)));
    assert_memory_equal(cases[i].answer, await(TRP_NET_FRAME).bytes, strlen(cases[i].answer));
    assert_int_equal(
        0, process_run((const char *const[]){"ctl", "fault", "exchange", "429:60000", NULL}, &out));
    assert_int_equal(
        1, process_run((const char *const[]){"ctl", "fault", "exchange", "dance", NULL}, &out));
    (void)dial("http", port, cases[i].rest, NULL);
    assert_int_equal(429, await(TRP_NET_RESPONSE).status);
    assert_int_equal(
        0, process_run((const char *const[]){"ctl", "fault", "exchange", "expire", NULL}, &out));
    assert_true(await(TRP_NET_CLOSED).proper);
    end_well(&process);
  }
}

static void with_a_certificate_it_is_served_over_tls_alone(void **state) {
  (void)state;
  char ca[160], cert[160], key[160];
  snprintf(ca, sizeof ca, "%s", process_path("ca.pem"));
  snprintf(cert, sizeof cert, "%s", process_path("cert.pem"));
  snprintf(key, sizeof key, "%s", process_path("key.pem"));
  assert_true(trp_tls_peer_files("IP:127.0.0.1", ca, cert, key));
  struct process process = {0};
  process_start(&process,
                (const char *const[]){"exchange", "--dialect", "gateio", "--listen", "127.0.0.1:0",
                                      "--tls-cert", cert, "--tls-key", key, NULL});
  unsigned port = port_of(&process);
  assert_non_null(strstr(process_read(process.out), "wss://"));
  (void)dial("https", port, "/api/v4/spot/time", ca);
  assert_int_equal(200, await(TRP_NET_RESPONSE).status);
  uint64_t link = dial("wss", port, "/ws/v4/", ca);
  (void)await(TRP_NET_OPENED);
  (void)dial("ws", port, "/ws/v4/", NULL);
  (void)await(TRP_NET_FAILED);
  end_well(&process);
  struct trp_net_event closed = await(TRP_NET_CLOSED);
  assert_true(closed.link == link && closed.proper);
}

static void certificates_that_cannot_be_used_are_wrong_use(void **state) {
  (void)state;
  static const char *const lines[][8] = {
      {"--tls-cert", "/nonexistent", "--tls-key", "/nonexistent", NULL},
      {"--tls-cert", "/nonexistent", NULL}};
  for (size_t i = 0; i < 2; i++) {
    const char *args[16] = {"exchange", "--dialect", "mexc", "--listen", "127.0.0.1:0"};
    for (size_t a = 0; lines[i][a] != NULL; a++) args[5 + a] = lines[i][a];
    struct process process = {0};
    process_start(&process, args);
    assert_int_equal(2, process_wait(&process, PATIENCE_MS * process_slowness()));
    assert_non_null(strstr(process_read(process.err), "--tls-cert and --tls-key"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_dialect_is_served_under_its_paths_and_obeys_ctl),
      cmocka_unit_test(with_a_certificate_it_is_served_over_tls_alone),
      cmocka_unit_test(certificates_that_cannot_be_used_are_wrong_use),
  };
  return cmocka_run_group_tests(tests, open_net, close_net);
}
