/* What only the real net has: its loop, names, a server with guests, nothing left over. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "test/support/net_bed.h"

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
    assert_true(now < until + 2000 * MS);
  }
  assert_true(cpu_s() - cpu < 0.1);
  uint64_t before = now_ns();
  net->loop.run(&net->loop, 0);
  assert_true(now_ns() < before + 2000 * MS);
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

/* ---- the server and its guests
 * -------------------------------------------------------------------- */

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

static void answer_requests(const char *text) {
  struct trp_net_event event;
  while (server->ops->next(server, &event)) {
    assert_int_equal(event.kind, TRP_NET_REQUEST);
    assert_int_equal(server->ops->respond(server, event.link, 200, NULL, NULL, text, strlen(text)),
                     TRP_OK);
  }
}

static unsigned count_answers(const char *text) {
  unsigned count = 0;
  for (const char *at = text; (at = strstr(at, "HTTP/1.1 200 OK")) != NULL; at++) {
    count++;
  }
  return count;
}

static void a_connection_serves_request_after_request(void **state) {
  (void)state;
  static const char two[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n";
  char text[4096] = "";
  size_t used = 0;
  make_server();
  peer = trp_net_peer_connect(port);
  for (int round = 0; round < 3; round++) {
    answer(two);
    for (int i = 0; i < 500 && count_answers(text) < 2u * (unsigned)round + 2; i++) {
      turn();
      answer_requests("{}");
      long n = trp_net_peer_read(peer, text + used, sizeof text - used);
      assert_true(n >= 0);
      used += (size_t)n;
    }
    assert_int_equal(count_answers(text), 2 * round + 2);
  }
  assert_int_equal(server->ops->live(server), 0);
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

/* ---- nothing left over
 * ------------------------------------------------------------------------------ */

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
      TEST(guests_that_misbehave_hurt_nobody_else),
      TEST(a_connection_serves_request_after_request),
      TEST(a_guest_that_leaves_before_its_answer_does_not_spin_the_loop),
      TEST(a_taken_port_is_an_error),
      TEST(a_thousand_connections_leave_what_a_hundred_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
