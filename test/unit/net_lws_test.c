/* What only the real net has: its loop, names, peers that break the rules, nothing left over. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
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

static int set_up(void **state) {
  (void)state;
  listener = trp_net_peer_listen(&port);
  return trp_net_lws_new(&net, NULL) == TRP_OK && listener >= 0 ? 0 : -1;
}

static int tear_down(void **state) {
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

static void make_server(void) {
  port = 0;
  assert_int_equal(trp_net_lws_new(&server, NULL), TRP_OK);
  assert_int_equal(server->ops->listen(server, "127.0.0.1", &port), TRP_OK);
}

static uint64_t now_ns(void) { return trp_net_lws_now_ns(); }

static void turn(void) {
  net->loop.run(&net->loop, server != NULL ? 0 : now_ns() + MS);
  if (server != NULL) {
    server->loop.run(&server->loop, now_ns() + MS / 4);
  }
}

static struct trp_net_event await(struct trp_net *who, enum trp_net_event_kind kind) {
  struct trp_net_event event = {0};
  uint64_t end = now_ns() + PATIENCE_MS * MS;
  while (!who->ops->next(who, &event) && now_ns() < end) {
    turn();
  }
  assert_int_equal(event.kind, kind);
  return event;
}

static void assert_silent(uint64_t ms) {
  struct trp_net_event event;
  uint64_t end = now_ns() + ms * MS;
  while (now_ns() < end) {
    turn();
    assert_false(net->ops->next(net, &event));
  }
}

static struct trp_net_request request_of(const char *scheme, const char *host) {
  snprintf(url, sizeof url, "%s://%s:%u/path", scheme, host, (unsigned)port);
  return (struct trp_net_request){.url = url, .timeout_ms = 3000};
}

static uint64_t start_ws(const char *host) {
  uint64_t link;
  const struct trp_net_request request = request_of("ws", host);
  assert_int_equal(net->ops->ws_open(net, &request, &link), TRP_OK);
  return link;
}

static uint64_t start_http(void) {
  uint64_t link;
  const struct trp_net_request request = request_of("http", "127.0.0.1");
  assert_int_equal(net->ops->http_send(net, &request, &link), TRP_OK);
  return link;
}

/* Takes the connection by hand and reads its request. */
static const char *await_request(void) {
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

static void answer(const char *text) { assert_true(trp_net_peer_write(peer, text, strlen(text))); }

/* A WebSocket whose other end is `peer`. */
static uint64_t open_by_hand(void) {
  char text[512];
  uint64_t link = start_ws("127.0.0.1");
  assert_true(trp_net_peer_upgrade(await_request(), text, sizeof text));
  answer(text);
  assert_int_equal(await(net, TRP_NET_OPENED).link, link);
  return link;
}

static void send_bytes(const char *bytes, size_t size) {
  assert_true(trp_net_peer_write(peer, bytes, size));
}

#define SEND(literal) send_bytes(literal, sizeof(literal) - 1)

static double cpu_s(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static size_t open_descriptors(void) {
  size_t open = 0;
  for (int fd = 0; fd < 1024; fd++) {
    open += fcntl(fd, F_GETFD) >= 0;
  }
  return open;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void run_returns_when_it_was_told_and_does_not_spin(void **state) {
  (void)state;
  net->loop.run(&net->loop, 0);
  double cpu = cpu_s();
  for (int i = 0; i < 20; i++) {
    uint64_t until = now_ns() + 10 * MS + MS / 2;
    net->loop.run(&net->loop, until);
    uint64_t now = now_ns();
    assert_true(now >= until);
    assert_true(now < until + 200 * MS);
  }
  assert_true(cpu_s() - cpu < 0.1);
  uint64_t before = now_ns();
  net->loop.run(&net->loop, 0);
  assert_true(now_ns() < before + 200 * MS);
}

static void *wake_later(void *arg) {
  usleep(20000);
  struct trp_net *who = arg;
  who->loop.wake(&who->loop);
  return NULL;
}

static void wake_ends_a_run_from_any_thread_and_before_it_began(void **state) {
  (void)state;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, wake_later, net), 0);
  uint64_t before = now_ns();
  net->loop.run(&net->loop, before + PATIENCE_MS * MS);
  assert_true(now_ns() < before + 1000 * MS);
  pthread_join(thread, NULL);
  for (int i = 0; i < 100; i++) {
    net->loop.wake(&net->loop);
  }
  before = now_ns();
  net->loop.run(&net->loop, before + PATIENCE_MS * MS);
  assert_true(now_ns() < before + 1000 * MS);
  before = now_ns(); /* a hundred wakes were one */
  net->loop.run(&net->loop, before + 30 * MS);
  assert_true(now_ns() >= before + 30 * MS);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void a_name_of_this_host_is_resolved(void **state) {
  (void)state;
  start_ws("localhost");
  assert_non_null(strstr(await_request(), "Host: localhost:"));
}

static void a_resolution_can_be_cancelled_and_times_out(void **state) {
  (void)state;
  size_t descriptors = open_descriptors();
  uint16_t dns;
  char servers[32];
  int hole = trp_net_peer_bind_udp(&dns);
  snprintf(servers, sizeof servers, "127.0.0.1:%u", (unsigned)dns);
  trp_net_lws_servers(net, servers);
  uint64_t link = start_ws("stream.exchange.test");
  uint64_t other = start_ws("other.exchange.test");
  assert_silent(30);
  char question[512];
  assert_true(trp_net_peer_read(hole, question, sizeof question) > 0);
  double cpu = cpu_s();
  uint64_t before = now_ns();
  net->loop.run(&net->loop, before + 100 * MS);
  assert_true(now_ns() >= before + 100 * MS);
  assert_true(cpu_s() - cpu < 0.05);
  net->ops->cancel(net, link);
  assert_int_equal(net->ops->live(net), 1);
  net->ops->ws_close(net, other, 1000, "", 100);
  assert_int_equal(await(net, TRP_NET_CLOSED).link, other);
  assert_int_equal(net->ops->live(net), 0);

  struct trp_net_request request = request_of("ws", "third.exchange.test");
  request.timeout_ms = 50;
  assert_int_equal(net->ops->ws_open(net, &request, &link), TRP_OK);
  struct trp_net_event failed = await(net, TRP_NET_FAILED);
  assert_int_equal(failed.err, TRP_TIMEOUT);
  assert_non_null(strstr(failed.reason, "resolving"));
  close(hole);
  assert_int_equal(open_descriptors(), descriptors);
}

/* Answers one question with a reply code and, for 0, the address 127.0.0.1 for A. */
static void answer_name(int dns, char code) {
  char packet[600];
  struct sockaddr_storage from;
  socklen_t size = sizeof from;
  ssize_t n = recvfrom(dns, packet, 512, 0, (struct sockaddr *)&from, &size);
  if (n < 17) {
    return;
  }
  packet[2] = (char)0x81;
  packet[3] = (char)(0x80 | code);
  packet[10] = packet[11] = 0; /* no additional records: cut what EDNS added */
  ssize_t end = 12;
  while (packet[end] != 0) {
    end += packet[end] + 1;
  }
  bool a = packet[end + 2] == 1;
  n = end + 5;
  if (code == 0 && a) {
    static const char record[] = "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1";
    packet[7] = 1;
    memcpy(packet + n, record, 16);
    n += 16;
  }
  sendto(dns, packet, (size_t)n, 0, (struct sockaddr *)&from, size);
}

static void a_name_server_is_asked_and_believed(void **state) {
  (void)state;
  uint16_t dns_port;
  char servers[32];
  struct trp_net_event event = {0};
  int dns = trp_net_peer_bind_udp(&dns_port);
  snprintf(servers, sizeof servers, "127.0.0.1:%u", (unsigned)dns_port);
  trp_net_lws_servers(net, servers);
  start_ws("nothing.exchange.test");
  for (int i = 0; i < 500 && !net->ops->next(net, &event); i++) {
    answer_name(dns, 3);
    turn();
  }
  assert_int_equal(event.kind, TRP_NET_FAILED);
  assert_int_equal(event.err, TRP_RESOLVE);
  assert_true(strlen(event.reason) > 0);

  start_ws("stream.exchange.test");
  for (int i = 0; i < 500 && peer < 0; i++) {
    answer_name(dns, 0);
    turn();
    peer = trp_net_peer_accept(listener);
  }
  assert_non_null(strstr(await_request(), "Host: stream.exchange.test:"));
  close(dns);
}

/* ---- handshakes that fail ---------------------------------------------------------------------- */

static void a_peer_that_never_answers_is_given_up_in_time(void **state) {
  (void)state;
  uint64_t link;
  struct trp_net_request request = request_of("ws", "127.0.0.1");
  request.timeout_ms = 80;
  uint64_t before = now_ns();
  assert_int_equal(net->ops->ws_open(net, &request, &link), TRP_OK);
  struct trp_net_event failed = await(net, TRP_NET_FAILED);
  assert_int_equal(failed.err, TRP_TIMEOUT);
  assert_true(now_ns() >= before + 80 * MS);
  assert_true(now_ns() < before + 1000 * MS);
  assert_int_equal(net->ops->live(net), 0);
}

static void fail_handshake(const char *text, enum trp_err err, uint16_t status, uint32_t wait_s) {
  start_ws("127.0.0.1");
  await_request();
  answer(text);
  close(peer);
  peer = -1;
  struct trp_net_event failed = await(net, TRP_NET_FAILED);
  assert_int_equal(failed.err, err);
  assert_int_equal(failed.status, status);
  assert_int_equal(failed.retry_after_s, wait_s);
  assert_true(strlen(failed.reason) > 0);
  assert_int_equal(net->ops->live(net), 0);
}

static void a_refused_handshake_says_why(void **state) {
  (void)state;
  fail_handshake("HTTP/1.1 429 Too Many\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n",
                 TRP_RATE_LIMIT, 429, 9);
  fail_handshake("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", TRP_REFUSED, 503, 0);
  fail_handshake("HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\n\r\n", TRP_REFUSED, 302, 0);
  fail_handshake("HTTP/1.1 200 OK\r\n\r\n", TRP_REFUSED, 200, 0);
  fail_handshake("\x16\x03 this is no HTTP\r\n\r\n", TRP_PROTOCOL, 0, 0);
  fail_handshake("", TRP_PROTOCOL, 0, 0);
  fail_handshake("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: wrong\r\n\r\n",
                 TRP_PROTOCOL, 101, 0);
  assert_silent(20);
}

/* ---- peers that break the rules ----------------------------------------------------------------- */

static void a_peer_that_dies_leaves_1006(void **state) {
  (void)state;
  for (int how = 0; how < 2; how++) {
    uint64_t link = open_by_hand();
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (how == 1) {
      setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    close(peer);
    peer = -1;
    struct trp_net_event closed = await(net, TRP_NET_CLOSED);
    assert_int_equal(closed.link, link);
    assert_false(closed.proper);
    assert_int_equal(closed.code, 1006);
  }
}

static void pieces_and_control_frames_mix(void **state) {
  (void)state;
  open_by_hand();
  assert_silent(20);
  SEND("\x01\x02" "ab" "\x89\x01" "p" "\x80\x02" "cd");
  struct trp_net_event event = {0};
  bool frame = false, ping = false;
  while (!frame || !ping) {
    while (!net->ops->next(net, &event)) {
      turn();
    }
    frame = frame || event.kind == TRP_NET_FRAME;
    ping = ping || event.kind == TRP_NET_PING;
    if (event.kind == TRP_NET_FRAME) {
      assert_int_equal(event.size, 4);
      assert_memory_equal(event.bytes, "abcd", 4);
      assert_false(event.binary);
    }
  }
}

static void close_codes_arrive(void **state) {
  (void)state;
  open_by_hand();
  SEND("\x88\x04\x03\xe9" "go");
  struct trp_net_event closed = await(net, TRP_NET_CLOSED);
  assert_true(closed.proper);
  assert_int_equal(closed.code, 1001);
  assert_string_equal(closed.reason, "go");
  close(peer);
  peer = -1;
  open_by_hand();
  SEND("\x88\x00");
  closed = await(net, TRP_NET_CLOSED);
  assert_true(closed.proper);
  assert_int_equal(closed.code, 1005);
}

static void a_broken_frame_ends_the_link(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
  } broken[] = {
      {"\xf1\x01x", 3},     /* reserved bits: no extension was agreed */
      {"\x83\x01x", 3},     /* an opcode that is none */
      {"\x80\x01x", 3},     /* the continuation of nothing */
      {"\x09\x00", 2},      /* half a ping */
      {"\x89\x7e\x01\x00", 4}, /* a ping too long */
  };
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    open_by_hand();
    send_bytes(broken[i].bytes, broken[i].size);
    assert_false(await(net, TRP_NET_CLOSED).proper);
    close(peer);
    peer = -1;
  }
}

static void a_terabyte_is_refused_at_its_first_byte(void **state) {
  (void)state;
  open_by_hand();
  SEND("\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00");
  static char bytes[TRP_NET_READ_BYTES + 1];
  send_bytes(bytes, sizeof bytes);
  assert_int_equal(await(net, TRP_NET_FAILED).err, TRP_TOO_BIG);
}

/* ---- responses ----------------------------------------------------------------------------------- */

static struct trp_net_event response_to(const char *text, enum trp_net_event_kind kind) {
  start_http();
  await_request();
  answer(text);
  close(peer);
  peer = -1;
  struct trp_net_event event = await(net, kind);
  assert_int_equal(net->ops->live(net), 0);
  return event;
}

static void bodies_come_in_every_wrapping(void **state) {
  (void)state;
  struct trp_net_event event = response_to("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                           "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
                                           TRP_NET_RESPONSE);
  assert_int_equal(event.size, 11);
  assert_memory_equal(event.bytes, "hello world", 11);
  event = response_to("HTTP/1.0 200 OK\r\n\r\nuntil the end", TRP_NET_RESPONSE);
  assert_int_equal(event.size, 13);
  event = response_to("HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\n"
                      "Content-Length: 5\r\n\r\nthere",
                      TRP_NET_RESPONSE);
  assert_int_equal(event.status, 302);
  assert_int_equal(event.size, 5);
  event = response_to("HTTP/1.1 418 Banned\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
                      TRP_NET_RESPONSE);
  assert_int_equal(event.status, 418);
  assert_int_equal(event.retry_after_s, 120);
}

static void a_response_cut_short_fails(void **state) {
  (void)state;
  static const char *const cut[] = {
      "",
      "HTTP/1.1 200 O",
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
  };
  for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
    response_to(cut[i], TRP_NET_FAILED);
  }
  assert_silent(10);
}

static void an_empty_response_keeps_no_connection(void **state) {
  (void)state;
  size_t descriptors = open_descriptors();
  start_http();
  await_request();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  await(net, TRP_NET_RESPONSE);
  assert_silent(10);
  assert_int_equal(open_descriptors(), descriptors + 1); /* the test's own end */
}

/* ---- the server and its guests -------------------------------------------------------------------- */

static void guests_that_misbehave_hurt_nobody_else(void **state) {
  (void)state;
  static const char *const said[] = {
      "",
      "\x16\x03\x01\x02\x00\x01\x00",
      "GET",
      "GET / HTTP/1.1\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
      "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nx",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nx",
  };
  struct trp_net_event event;
  make_server();
  for (int i = 0; i < 100; i++) {
    const char *text = said[(size_t)i % (sizeof said / sizeof said[0])];
    int guest = trp_net_peer_connect(port);
    assert_true(guest >= 0);
    trp_net_peer_write(guest, text, strlen(text));
    for (int k = 0; k < 3; k++) {
      turn();
    }
    close(guest);
    turn();
    while (server->ops->next(server, &event)) {
      if (event.kind == TRP_NET_REQUEST) {
        server->ops->respond(server, event.link, 404, NULL, NULL, "no", 2);
      }
    }
  }
  for (int i = 0; i < 1000 && server->ops->live(server) > 0; i++) {
    turn();
    while (server->ops->next(server, &event)) {
    }
  }
  assert_int_equal(server->ops->live(server), 0);
  uint64_t link = start_ws("127.0.0.1");
  await(server, TRP_NET_ACCEPTED);
  assert_int_equal(await(net, TRP_NET_OPENED).link, link);
}

static void a_guest_that_leaves_before_its_answer_does_not_spin_the_loop(void **state) {
  (void)state;
  make_server();
  uint64_t link = start_http();
  uint64_t ask = await(server, TRP_NET_REQUEST).link;
  net->ops->cancel(net, link);
  double cpu = cpu_s();
  uint64_t end = now_ns() + 200 * MS;
  while (now_ns() < end) {
    server->loop.run(&server->loop, end);
  }
  assert_true(cpu_s() - cpu < 0.1);
  server->ops->respond(server, ask, 200, NULL, NULL, "x", 1);
  for (int i = 0; i < 100 && server->ops->live(server) > 0; i++) {
    turn();
  }
  assert_int_equal(server->ops->live(server), 0);
}

static void a_taken_port_is_an_error(void **state) {
  (void)state;
  uint16_t taken = port; /* the test's own listener has it */
  assert_int_equal(net->ops->listen(net, "127.0.0.1", &taken), TRP_CONNECT);
  assert_int_equal(net->ops->listen(net, "not an address", &taken), TRP_INVALID);
}

/* ---- nothing left over ------------------------------------------------------------------------------ */

static void drain_events(void) {
  struct trp_net_event event;
  while (net->ops->next(net, &event)) {
  }
  while (server->ops->next(server, &event)) {
    if (event.kind == TRP_NET_REQUEST) {
      server->ops->respond(server, event.link, 200, NULL, NULL, "{}", 2);
    }
  }
}

static void cycle(unsigned i) {
  uint64_t link = 0;
  if (i % 8 == 7) {
    link = start_http();
  } else {
    link = start_ws(i % 8 == 6 ? "localhost" : "127.0.0.1");
  }
  switch (i % 8) {
    case 0:
    case 1: {
      uint64_t other = await(server, TRP_NET_ACCEPTED).link;
      await(net, TRP_NET_OPENED);
      assert_int_equal(net->ops->ws_send(net, link, false, "subscribe", 9), TRP_OK);
      await(server, TRP_NET_FRAME);
      assert_int_equal(server->ops->ws_send(server, other, false, "done", 4), TRP_OK);
      await(net, TRP_NET_FRAME);
      net->ops->ws_close(net, link, 1000, "", 1000);
      assert_true(await(net, TRP_NET_CLOSED).proper);
      assert_true(await(server, TRP_NET_CLOSED).proper);
      break;
    }
    case 2: { /* cut off with messages waiting */
      static const char bytes[TRP_NET_SEND_MAX / 4];
      uint64_t other = await(server, TRP_NET_ACCEPTED).link;
      await(net, TRP_NET_OPENED);
      server->ops->hold(server, other, true);
      while (i % 16 == 2 && net->ops->ws_send(net, link, true, bytes, sizeof bytes) == TRP_OK) {
      }
      net->ops->cancel(net, link);
      server->ops->hold(server, other, false);
      break;
    }
    case 7:
      for (int k = 0; k < 50 && net->ops->live(net) > 0; k++) {
        turn();
        drain_events();
      }
      break;
    default: /* cut off after so many turns: resolving, connecting, handshaking, open */
      for (unsigned k = 0; k < i / 8 % 8; k++) {
        net->loop.run(&net->loop, 0);
        server->loop.run(&server->loop, 0);
      }
      net->ops->cancel(net, link);
      break;
  }
}

static size_t bytes_after(unsigned cycles) {
  for (unsigned i = 0; i < cycles; i++) {
    cycle(i);
    drain_events();
  }
  uint64_t end = now_ns() + 1000 * MS;
  while (now_ns() < end && (server->ops->live(server) > 0 || net->ops->live(net) > 0)) {
    turn();
    drain_events();
  }
  for (int i = 0; i < 20; i++) {
    turn();
  }
  assert_int_equal(net->ops->live(net), 0);
  assert_int_equal(server->ops->live(server), 0);
  struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

static void a_thousand_connections_leave_what_a_hundred_left(void **state) {
  (void)state;
  make_server();
  bytes_after(64); /* what is made once */
  size_t after_100 = bytes_after(100);
  size_t open_100 = open_descriptors();
  size_t after_1000 = bytes_after(900);
  print_message("heap after 100: %zu, after 1,000: %zu\n", after_100, after_1000);
  assert_int_equal(open_descriptors(), open_100);
  assert_true(after_1000 <= after_100 + 256);
}

int main(void) {
  setenv("http_proxy", "127.0.0.1:1", 1); /* which libwebsockets would obey */
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(run_returns_when_it_was_told_and_does_not_spin),
      TEST(wake_ends_a_run_from_any_thread_and_before_it_began),
      TEST(a_name_of_this_host_is_resolved),
      TEST(a_resolution_can_be_cancelled_and_times_out),
      TEST(a_name_server_is_asked_and_believed),
      TEST(a_peer_that_never_answers_is_given_up_in_time),
      TEST(a_refused_handshake_says_why),
      TEST(a_peer_that_dies_leaves_1006),
      TEST(pieces_and_control_frames_mix),
      TEST(close_codes_arrive),
      TEST(a_broken_frame_ends_the_link),
      TEST(a_terabyte_is_refused_at_its_first_byte),
      TEST(bodies_come_in_every_wrapping),
      TEST(a_response_cut_short_fails),
      TEST(an_empty_response_keeps_no_connection),
      TEST(guests_that_misbehave_hurt_nobody_else),
      TEST(a_guest_that_leaves_before_its_answer_does_not_spin_the_loop),
      TEST(a_taken_port_is_an_error),
      TEST(a_thousand_connections_leave_what_a_hundred_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
