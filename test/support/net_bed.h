/* net_bed.h - what the tests of the real net stand on: a net, a listening socket served by hand
 * and, where a test asks for it, a second net as server.
 *
 * Included by one program each, after cmocka. Thread: the test's. */
#ifndef TRP_TEST_SUPPORT_NET_BED_H
#define TRP_TEST_SUPPORT_NET_BED_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "adapters/net_lws.h"
#include "test/support/net_peer.h"

#define PATIENCE_MS 5000
#define MS TRP_NS_PER_MS

static struct trp_net *net;
static struct trp_net *server; /* made where a test asks for it */
static uint16_t port;
static int listener = -1;
static int peer = -1;
static char url[128];

void __attribute__((weak)) trp_notify(struct trp_system *system, struct trp_ref slot) {
  (void)system;
  (void)slot;
}

/* ---- helpers -------------------------------------------------------------------------------- */

static inline int set_up(void **state) {
  (void)state;
  listener = trp_net_peer_listen(&port);
  return trp_net_lws_new(&net, NULL) == TRP_OK && listener >= 0 ? 0 : -1;
}

static inline int tear_down(void **state) {
  (void)state;
  trp_net_destroy(&net);
  trp_net_destroy(&server);
  if (peer >= 0) {
    close(peer);
  }
  close(listener);
  listener = peer = -1;
  return 0;
}

static inline void make_server(void) {
  port = 0;
  assert_int_equal(trp_net_lws_new(&server, NULL), TRP_OK);
  assert_int_equal(server->ops->listen(server, "127.0.0.1", &port), TRP_OK);
}

static inline uint64_t now_ns(void) { return trp_net_lws_now_ns(); }

static inline void turn(void) {
  net->loop.run(&net->loop, server != NULL ? 0 : now_ns() + MS);
  if (server != NULL) {
    server->loop.run(&server->loop, now_ns() + MS / 4);
  }
}

static inline struct trp_net_event await(struct trp_net *who, enum trp_net_event_kind kind) {
  struct trp_net_event event = {0};
  uint64_t end = now_ns() + PATIENCE_MS * MS;
  while (!who->ops->next(who, &event) && now_ns() < end) {
    turn();
  }
  assert_int_equal(event.kind, kind);
  return event;
}

static inline void assert_silent(uint64_t ms) {
  struct trp_net_event event;
  uint64_t end = now_ns() + ms * MS;
  while (now_ns() < end) {
    turn();
    assert_false(net->ops->next(net, &event));
  }
}

static inline struct trp_net_request request_of(const char *scheme, const char *host) {
  snprintf(url, sizeof url, "%s://%s:%u/path", scheme, host, (unsigned)port);
  return (struct trp_net_request){.url = url, .timeout_ms = 3000};
}

static inline uint64_t start_ws(const char *host) {
  uint64_t link;
  const struct trp_net_request request = request_of("ws", host);
  assert_int_equal(net->ops->ws_open(net, &request, &link), TRP_OK);
  return link;
}

static inline uint64_t start_http(void) {
  uint64_t link;
  const struct trp_net_request request = request_of("http", "127.0.0.1");
  assert_int_equal(net->ops->http_send(net, &request, &link), TRP_OK);
  return link;
}

/* Takes the connection by hand and reads its request. */
static inline const char *await_request(void) {
  static char text[4096];
  uint64_t end = now_ns() + PATIENCE_MS * MS;
  while (now_ns() < end) {
    peer = peer < 0 ? trp_net_peer_accept(listener) : peer;
    if (peer >= 0 && trp_net_peer_read(peer, text, sizeof text) > 0) {
      return text;
    }
    turn();
  }
  fail_msg("no request came");
  return "";
}

static inline void answer(const char *text) {
  assert_true(trp_net_peer_write(peer, text, strlen(text)));
}

/* A WebSocket whose other end is `peer`. */
static inline uint64_t open_by_hand(void) {
  char text[512];
  uint64_t link = start_ws("127.0.0.1");
  assert_true(trp_net_peer_upgrade(await_request(), text, sizeof text));
  answer(text);
  assert_int_equal(await(net, TRP_NET_OPENED).link, link);
  return link;
}

static inline void send_bytes(const char *bytes, size_t size) {
  assert_true(trp_net_peer_write(peer, bytes, size));
}

#define SEND(literal) send_bytes(literal, sizeof(literal) - 1)

static inline double cpu_s(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static inline size_t open_descriptors(void) {
  size_t open = 0;
  for (int fd = 0; fd < 1024; fd++) {
    open += fcntl(fd, F_GETFD) >= 0;
  }
  return open;
}

#endif
