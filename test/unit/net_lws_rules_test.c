/* The real net against peers that break the rules: handshakes, frames, responses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "test/support/net_bed.h"

/* ---- handshakes that fail ----------------------------------------------------------------------
 */

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
  fail_handshake("HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\n\r\n", TRP_REFUSED, 302,
                 0);
  fail_handshake("HTTP/1.1 200 OK\r\n\r\n", TRP_REFUSED, 200, 0);
  fail_handshake("\x16\x03 this is no HTTP\r\n\r\n", TRP_PROTOCOL, 0, 0);
  fail_handshake("", TRP_PROTOCOL, 0, 0);
  fail_handshake(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: wrong\r\n\r\n",
      TRP_PROTOCOL, 101, 0);
  assert_silent(20);
}

/* ---- peers that break the rules -----------------------------------------------------------------
 */

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
  SEND(
      "\x01\x02"
      "ab"
      "\x89\x01"
      "p"
      "\x80\x02"
      "cd");
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
  SEND(
      "\x88\x04\x03\xe9"
      "go");
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
      {"\xf1\x01x", 3},        /* reserved bits: no extension was agreed */
      {"\x83\x01x", 3},        /* an opcode that is none */
      {"\x80\x01x", 3},        /* the continuation of nothing */
      {"\x09\x00", 2},         /* half a ping */
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

/* ---- responses
 * ----------------------------------------------------------------------------------- */

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
  struct trp_net_event event = response_to(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
      TRP_NET_RESPONSE);
  assert_int_equal(event.size, 11);
  assert_memory_equal(event.bytes, "hello world", 11);
  event = response_to("HTTP/1.0 200 OK\r\n\r\nuntil the end", TRP_NET_RESPONSE);
  assert_int_equal(event.size, 13);
  event = response_to(
      "HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\n"
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

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
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
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
