/* What every net promises, whichever network it stands on.
 * Long because it is one list of promises, each with its own test. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/support/net_pair.h"

#define PATIENCE_MS 5000

static const struct trp_net_maker *const makers[] = {&trp_net_pair_lws, &trp_net_pair_lws_port,
                                                     &trp_net_pair_sim, &trp_net_pair_sim_port};

static const struct trp_net_maker *maker;
static struct trp_net_pair pair;
static char url[96];
static uint16_t port;

/* The nets of these tests have no system to notify or to ask for the time. */
void __attribute__((weak)) trp_notify(struct trp_system *system, struct trp_ref slot) {
  (void)system;
  (void)slot;
}

uint64_t __attribute__((weak)) trp_system_now_ns(struct trp_system *system) {
  (void)system;
  return 0;
}

/* ---- helpers -------------------------------------------------------------------------------- */

static void make_with(const struct trp_net_options *options) {
  assert_true(maker->make(&pair, options));
  port = 0;
  assert_int_equal(pair.server->ops->listen(pair.server, "127.0.0.1", &port), TRP_OK);
  assert_int_not_equal(port, 0);
}

static int set_up(void **state) {
  (void)state;
  make_with(NULL);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  maker->unmake(&pair);
  return 0;
}

static const char *url_of(const char *scheme, const char *path) {
  snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", scheme, (unsigned)port, path);
  return url;
}

/* The next event of a net, within the suite's patience; kind 0 where none came. */
static struct trp_net_event await_any(struct trp_net *net) {
  struct trp_net_event event;
  for (int ms = 0; ms < PATIENCE_MS; ms++) {
    if (net->ops->next(net, &event)) {
      return event;
    }
    pair.pump(&pair, 1);
  }
  return (struct trp_net_event){0};
}

/* The next event, which must be of this kind. */
static struct trp_net_event await(struct trp_net *net, enum trp_net_event_kind kind) {
  struct trp_net_event event = await_any(net);
  assert_int_equal(event.kind, kind);
  assert_non_null(event.reason);
  return event;
}

static void assert_silent(struct trp_net *net, uint64_t ms) {
  struct trp_net_event event;
  pair.pump(&pair, ms);
  assert_false(net->ops->next(net, &event));
}

static void await_live(struct trp_net *net, size_t live) {
  for (int ms = 0; ms < PATIENCE_MS && net->ops->live(net) != live; ms++) {
    pair.pump(&pair, 1);
  }
  assert_int_equal(net->ops->live(net), live);
}

static uint64_t open_ws(const struct trp_net_request *request, uint64_t *peer) {
  uint64_t link = 0;
  assert_int_equal(pair.client->ops->ws_open(pair.client, request, &link), TRP_OK);
  assert_int_not_equal(link, 0);
  assert_int_equal(await(pair.client, TRP_NET_OPENED).link, link);
  *peer = await(pair.server, TRP_NET_ACCEPTED).link;
  return link;
}

static uint64_t open_plain(uint64_t *peer) {
  const struct trp_net_request request = {.url = url_of("ws", "/ws")};
  return open_ws(&request, peer);
}

static void send_text(struct trp_net *net, uint64_t link, const char *text) {
  assert_int_equal(net->ops->ws_send(net, link, false, text, strlen(text)), TRP_OK);
}

static void assert_text(const struct trp_net_event *event, const char *text) {
  assert_int_equal(event->size, strlen(text));
  assert_memory_equal(event->bytes, text, event->size);
}

/* ---- WebSocket ------------------------------------------------------------------------------ */

static void a_websocket_opens_and_both_ends_talk(void **state) {
  (void)state;
  uint64_t link = 0;
  const struct trp_net_request request = {.url = url_of("ws", "/stream?streams=a@b/c@d&x=1")};
  assert_int_equal(pair.client->ops->ws_open(pair.client, &request, &link), TRP_OK);
  struct trp_net_event accepted = await(pair.server, TRP_NET_ACCEPTED);
  assert_string_equal(accepted.path, "/stream?streams=a@b/c@d&x=1");
  uint64_t peer = accepted.link;
  assert_int_equal(await(pair.client, TRP_NET_OPENED).link, link);
  assert_int_equal(pair.client->ops->live(pair.client), 1);
  assert_int_equal(pair.server->ops->live(pair.server), 1);

  send_text(pair.client, link, "hello");
  struct trp_net_event frame = await(pair.server, TRP_NET_FRAME);
  assert_int_equal(frame.link, peer);
  assert_false(frame.binary);
  assert_true(frame.at_ns > 0);
  assert_text(&frame, "hello");

  assert_int_equal(pair.server->ops->ws_send(pair.server, peer, true, "\0\1\2", 3), TRP_OK);
  frame = await(pair.client, TRP_NET_FRAME);
  assert_int_equal(frame.link, link);
  assert_true(frame.binary);
  assert_int_equal(frame.size, 3);
  assert_memory_equal(frame.bytes, "\0\1\2", 3);

  send_text(pair.server, peer, "");
  assert_int_equal(await(pair.client, TRP_NET_FRAME).size, 0);
}

static void fill(uint8_t *bytes, size_t size, unsigned seed) {
  for (size_t i = 0; i < size; i++) {
    seed = seed * 1103515245u + 12345u;
    bytes[i] = (uint8_t)(seed >> 16);
  }
}

static void exchange_sizes(struct trp_net *from, uint64_t from_link, struct trp_net *to) {
  static const size_t sizes[] = {0,     1,     125,   126,   127,   1000,  4095,   16383,
                                 16384, 16385, 32768, 65535, 65536, 65537, 200000, 1u << 20};
  static uint8_t bytes[1u << 20];
  for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    fill(bytes, sizes[i], i);
    assert_int_equal(from->ops->ws_send(from, from_link, i % 2, bytes, sizes[i]), TRP_OK);
  }
  for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    struct trp_net_event frame = await(to, TRP_NET_FRAME);
    assert_int_equal(frame.size, sizes[i]);
    assert_int_equal(frame.binary, i % 2);
    fill(bytes, sizes[i], i);
    assert_memory_equal(frame.bytes, bytes, sizes[i]);
  }
}

static void messages_keep_their_order_and_their_bytes(void **state) {
  (void)state;
  uint64_t peer;
  uint64_t link = open_plain(&peer);
  exchange_sizes(pair.client, link, pair.server);
  exchange_sizes(pair.server, peer, pair.client);
}

static void ping_once(struct trp_net *from, uint64_t from_link, struct trp_net *to, uint64_t peer,
                      const char *text) {
  assert_int_equal(from->ops->ws_ping(from, from_link, text, strlen(text)), TRP_OK);
  assert_int_equal(await(to, TRP_NET_PING).link, peer);
  struct trp_net_event pong = await(from, TRP_NET_PONG);
  assert_int_equal(pong.link, from_link);
  assert_text(&pong, text);
}

static void a_ping_is_answered_and_reported(void **state) {
  (void)state;
  uint64_t peer;
  uint64_t link = open_plain(&peer);
  pair.pump(&pair, 20);
  for (int i = 0; i < 3; i++) {
    ping_once(pair.server, peer, pair.client, link, "1700000000000");
    ping_once(pair.client, link, pair.server, peer, "x");
    send_text(pair.client, link, "between");
    await(pair.server, TRP_NET_FRAME);
  }
  assert_int_equal(pair.client->ops->ws_ping(pair.client, link, NULL, 0), TRP_OK);
  await(pair.server, TRP_NET_PING);
  await(pair.client, TRP_NET_PONG);
}

static void traffic_without_a_ping_reports_none(void **state) {
  (void)state;
  uint64_t peer;
  uint64_t link = open_plain(&peer);
  for (int i = 0; i < 50; i++) {
    send_text(pair.client, link, "a");
    send_text(pair.server, peer, "b");
    await(pair.server, TRP_NET_FRAME);
    await(pair.client, TRP_NET_FRAME);
  }
  pair.client->ops->hold(pair.client, link, true);
  pair.pump(&pair, 5);
  pair.client->ops->hold(pair.client, link, false);
  assert_silent(pair.client, 20);
  assert_silent(pair.server, 20);
}

/* ---- closing -------------------------------------------------------------------------------- */

static void close_from(struct trp_net *from, uint64_t from_link, struct trp_net *to,
                       uint64_t peer) {
  from->ops->ws_close(from, from_link, 4321, "enough", 1000);
  assert_int_equal(from->ops->ws_send(from, from_link, false, "x", 1), TRP_WRONG_STATE);
  struct trp_net_event closed = await(to, TRP_NET_CLOSED);
  assert_int_equal(closed.link, peer);
  assert_true(closed.proper);
  assert_int_equal(closed.code, 4321);
  assert_string_equal(closed.reason, "enough");
  closed = await(from, TRP_NET_CLOSED);
  assert_int_equal(closed.link, from_link);
  assert_true(closed.proper);
  assert_int_equal(closed.code, 4321);
  assert_int_equal(from->ops->live(from), 0);
  assert_int_equal(to->ops->live(to), 0);
  assert_silent(from, 5);
  assert_silent(to, 5);
}

static void a_close_by_the_client_is_proper_on_both_ends(void **state) {
  (void)state;
  uint64_t peer;
  uint64_t link = open_plain(&peer);
  close_from(pair.client, link, pair.server, peer);
}

static void a_close_by_the_server_is_proper_on_both_ends(void **state) {
  (void)state;
  uint64_t peer;
  uint64_t link = open_plain(&peer);
  close_from(pair.server, peer, pair.client, link);
}

static void a_close_of_both_at_once_ends_both_properly(void **state) {
  (void)state;
  uint64_t peer;
  uint64_t link = open_plain(&peer);
  pair.client->ops->ws_close(pair.client, link, 1000, "", 1000);
  pair.server->ops->ws_close(pair.server, peer, 1001, "", 1000);
  assert_true(await(pair.client, TRP_NET_CLOSED).proper);
  assert_true(await(pair.server, TRP_NET_CLOSED).proper);
}

static void queued_messages_leave_before_the_close(void **state) {
  (void)state;
  static uint8_t big[400000];
  uint64_t peer;
  uint64_t link = open_plain(&peer);
  for (int i = 0; i < 20; i++) {
    fill(big, sizeof big, (unsigned)i);
    assert_int_equal(pair.client->ops->ws_send(pair.client, link, true, big, sizeof big), TRP_OK);
  }
  pair.client->ops->ws_close(pair.client, link, 1000, "done", 5000);
  for (int i = 0; i < 20; i++) {
    struct trp_net_event frame = await(pair.server, TRP_NET_FRAME);
    fill(big, sizeof big, (unsigned)i);
    assert_int_equal(frame.size, sizeof big);
    assert_memory_equal(frame.bytes, big, sizeof big);
  }
  assert_true(await(pair.server, TRP_NET_CLOSED).proper);
  assert_true(await(pair.client, TRP_NET_CLOSED).proper);
}

static void closing_before_it_is_open_reports_closed(void **state) {
  (void)state;
  uint64_t link;
  const struct trp_net_request request = {.url = url_of("ws", "/")};
  assert_int_equal(pair.client->ops->ws_open(pair.client, &request, &link), TRP_OK);
  pair.client->ops->ws_close(pair.client, link, 1000, "", 100);
  struct trp_net_event closed = await(pair.client, TRP_NET_CLOSED);
  assert_int_equal(closed.link, link);
  assert_false(closed.proper);
  assert_int_equal(closed.code, 1006);
  assert_silent(pair.client, 20);
  assert_int_equal(pair.client->ops->live(pair.client), 0);
}

static void a_close_that_nobody_answers_ends_in_time(void **state) {
  (void)state;
  uint64_t peer;
  uint64_t link = open_plain(&peer);
  pair.server->ops->hold(pair.server, peer, true);
  pair.pump(&pair, 10);
  pair.client->ops->ws_close(pair.client, link, 1000, "", 50);
  struct trp_net_event closed = await(pair.client, TRP_NET_CLOSED);
  assert_false(closed.proper);
  assert_int_equal(closed.code, 1006);
  assert_int_equal(pair.client->ops->live(pair.client), 0);
}

static void a_cancelled_link_says_nothing_in_any_state(void **state) {
  (void)state;
  const struct trp_net_request request = {.url = url_of("ws", "/")};
  for (uint64_t rounds = 0; rounds < 12; rounds++) {
    uint64_t link;
    assert_int_equal(pair.client->ops->ws_open(pair.client, &request, &link), TRP_OK);
    for (uint64_t i = 0; i < rounds; i++) {
      trp_net_loop(pair.client)->run(trp_net_loop(pair.client), 0);
      pair.server->loop.run(&pair.server->loop, 0);
    }
    if (rounds == 11) {
      pair.client->ops->ws_close(pair.client, link, 1000, "", 1000);
    }
    pair.client->ops->cancel(pair.client, link);
    assert_int_equal(pair.client->ops->live(pair.client), 0);
    assert_silent(pair.client, 5);
    assert_int_equal(pair.client->ops->ws_send(pair.client, link, false, "x", 1), TRP_WRONG_STATE);
    pair.client->ops->cancel(pair.client, link);
  }
  await_live(pair.server, 0);
}

static void a_peer_that_vanishes_is_no_proper_close(void **state) {
  (void)state;
  uint64_t peer;
  uint64_t link = open_plain(&peer);
  pair.client->ops->cancel(pair.client, link);
  struct trp_net_event closed = await(pair.server, TRP_NET_CLOSED);
  assert_int_equal(closed.link, peer);
  assert_false(closed.proper);
  assert_int_equal(closed.code, 1006);
}

static void a_cancelled_links_waiting_events_are_gone(void **state) {
  (void)state;
  uint64_t peer, other_peer;
  uint64_t link = open_plain(&peer);
  uint64_t other = open_plain(&other_peer);
  send_text(pair.server, peer, "one");
  send_text(pair.server, other_peer, "two");
  pair.pump(&pair, 30);
  pair.client->ops->cancel(pair.client, link);
  struct trp_net_event frame = await(pair.client, TRP_NET_FRAME);
  assert_int_equal(frame.link, other);
  assert_text(&frame, "two");
  assert_silent(pair.client, 5);
}

/* ---- bounds --------------------------------------------------------------------------------- */

static void a_message_above_the_limit_fails_the_link(void **state) {
  (void)state;
  static const uint8_t bytes[2001];
  uint64_t peer;
  const struct trp_net_request request = {.url = url_of("ws", "/"), .frame_max = 2000};
  uint64_t link = open_ws(&request, &peer);
  assert_int_equal(pair.server->ops->ws_send(pair.server, peer, true, bytes, 2000), TRP_OK);
  assert_int_equal(await(pair.client, TRP_NET_FRAME).size, 2000);
  assert_int_equal(pair.server->ops->ws_send(pair.server, peer, true, bytes, 2001), TRP_OK);
  struct trp_net_event failed = await(pair.client, TRP_NET_FAILED);
  assert_int_equal(failed.link, link);
  assert_int_equal(failed.err, TRP_TOO_BIG);
  await_live(pair.client, 0);
  await(pair.server, TRP_NET_CLOSED);
  assert_silent(pair.client, 5);
}

static void a_held_link_reads_nothing_until_released(void **state) {
  (void)state;
  uint64_t peer;
  uint64_t link = open_plain(&peer);
  pair.client->ops->hold(pair.client, link, true);
  pair.pump(&pair, 5);
  send_text(pair.server, peer, "one");
  send_text(pair.server, peer, "two");
  assert_silent(pair.client, 40);
  pair.client->ops->hold(pair.client, link, false);
  struct trp_net_event frame = await(pair.client, TRP_NET_FRAME);
  assert_text(&frame, "one");
  frame = await(pair.client, TRP_NET_FRAME);
  assert_text(&frame, "two");
}

static void an_owner_that_takes_nothing_holds_the_sender_back(void **state) {
  (void)state;
  maker->unmake(&pair);
  make_with(&(struct trp_net_options){.event_bytes_max = 65536});
  static uint8_t bytes[8000];
  uint64_t peer;
  open_plain(&peer);
  unsigned sent = 0;
  enum trp_err err = TRP_OK;
  while (err == TRP_OK && sent < 100000) { /* 800 MB would not fit anywhere */
    memcpy(bytes, &sent, sizeof sent);
    err = pair.server->ops->ws_send(pair.server, peer, true, bytes, sizeof bytes);
    sent += err == TRP_OK;
    if (sent % 16 == 0) {
      pair.pump(&pair, 0);
    }
  }
  assert_int_equal(err, TRP_FULL);
  for (unsigned i = 0; i < sent; i++) {
    unsigned got;
    struct trp_net_event frame = await(pair.client, TRP_NET_FRAME);
    assert_int_equal(frame.size, sizeof bytes);
    memcpy(&got, frame.bytes, sizeof got);
    assert_int_equal(got, i);
  }
  assert_silent(pair.client, 5);
}

static void a_full_send_queue_says_so(void **state) {
  (void)state;
  static const uint8_t bytes[65536];
  maker->unmake(&pair);
  make_with(&(struct trp_net_options){.send_queue_max = 4});
  uint64_t peer;
  uint64_t link = open_plain(&peer);
  pair.server->ops->hold(pair.server, peer, true);
  pair.pump(&pair, 5);
  unsigned sent = 0;
  while (sent < 1000 &&
         pair.client->ops->ws_send(pair.client, link, true, bytes, sizeof bytes) == TRP_OK) {
    sent++;
  }
  assert_true(sent >= 4);
  assert_true(sent < 200); /* four, and what the network itself keeps */
  pair.server->ops->hold(pair.server, peer, false);
  for (unsigned i = 0; i < sent; i++) {
    assert_int_equal(await(pair.server, TRP_NET_FRAME).size, sizeof bytes);
  }
  send_text(pair.client, link, "again");
  assert_int_equal(await(pair.server, TRP_NET_FRAME).size, 5);
}

static void no_more_links_than_agreed(void **state) {
  (void)state;
  maker->unmake(&pair);
  make_with(&(struct trp_net_options){.links_max = 2});
  uint64_t peer, link;
  open_plain(&peer);
  link = open_plain(&peer);
  const struct trp_net_request request = {.url = url_of("ws", "/")};
  assert_int_equal(pair.client->ops->ws_open(pair.client, &request, &link), TRP_LIMIT);
}

/* ---- ports ---------------------------------------------------------------------------------- */

/* Another port beside the client, on the same loop. */
static struct trp_net *another_port(const struct trp_net_options *options) {
  struct trp_net *shared = pair.client->shared != NULL ? pair.client->shared : pair.client;
  struct trp_net *port_net = NULL;
  assert_int_equal(trp_net_port(shared, options, &port_net), TRP_OK);
  assert_ptr_equal(trp_net_loop(port_net), trp_net_loop(pair.client));
  return port_net;
}

static uint64_t open_on(struct trp_net *net, uint64_t *peer) {
  uint64_t link = 0;
  const struct trp_net_request request = {.url = url_of("ws", "/ws")};
  assert_int_equal(net->ops->ws_open(net, &request, &link), TRP_OK);
  assert_int_equal(await(net, TRP_NET_OPENED).link, link);
  *peer = await(pair.server, TRP_NET_ACCEPTED).link;
  return link;
}

static void each_port_hears_of_its_own_links(void **state) {
  (void)state;
  struct trp_net *other = another_port(NULL);
  uint64_t peer, other_peer, link = open_on(pair.client, &peer);
  uint64_t other_link = open_on(other, &other_peer);
  send_text(pair.server, peer, "to the one");
  send_text(pair.server, other_peer, "to the other");
  struct trp_net_event event = await(other, TRP_NET_FRAME);
  assert_int_equal(event.link, other_link);
  assert_text(&event, "to the other");
  event = await(pair.client, TRP_NET_FRAME);
  assert_int_equal(event.link, link);
  assert_text(&event, "to the one");
  assert_silent(pair.client, 5);
  assert_silent(other, 5);
  assert_int_equal(pair.client->ops->live(pair.client), 1);
  assert_int_equal(other->ops->live(other), 1);
  trp_net_destroy(&other);
  assert_int_equal(await(pair.server, TRP_NET_CLOSED).link, other_peer);
}

static void what_a_port_cancels_is_its_own(void **state) {
  (void)state;
  struct trp_net *other = another_port(NULL);
  uint64_t peer, other_peer, link = open_on(pair.client, &peer);
  (void)open_on(other, &other_peer);
  send_text(pair.server, peer, "it waits");
  send_text(pair.server, other_peer, "it is never taken");
  pair.pump(&pair, 20);
  other->ops->cancel(other, link); /* of a number that is another's, too */
  other->ops->cancel(other, 0);
  assert_int_equal(other->ops->live(other), 0);
  assert_silent(other, 5);
  struct trp_net_event event = await(pair.client, TRP_NET_FRAME);
  assert_text(&event, "it waits");
  send_text(pair.client, link, "and it stands");
  assert_int_equal(await(pair.server, TRP_NET_CLOSED).link, other_peer);
  event = await(pair.server, TRP_NET_FRAME);
  assert_text(&event, "and it stands");
  trp_net_destroy(&other);
}

static void a_port_whose_owner_takes_nothing_holds_back_nobody_else(void **state) {
  (void)state;
  enum { COUNT = 64, BYTES = 8192 };
  static char text[BYTES];
  struct trp_net *other = another_port(&(struct trp_net_options){.event_bytes_max = 64u << 10});
  uint64_t peer, other_peer;
  (void)open_on(pair.client, &peer);
  (void)open_on(other, &other_peer);
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(pair.server->ops->ws_send(pair.server, other_peer, true, text, BYTES), TRP_OK);
  }
  pair.pump(&pair, 50);
  for (int i = 0; i < COUNT; i++) {
    send_text(pair.server, peer, "still served");
    struct trp_net_event event = await(pair.client, TRP_NET_FRAME);
    assert_text(&event, "still served");
  }
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(await(other, TRP_NET_FRAME).size, BYTES);
  }
  trp_net_destroy(&other);
}

static void ports_together_keep_the_shared_nets_bound(void **state) {
  (void)state;
  uint64_t peers[64], link;
  const struct trp_net_options wide = {.links_max = 64};
  struct trp_net *shared = pair.client->shared != NULL ? pair.client->shared : pair.client;
  struct trp_net *one = another_port(&wide), *other = another_port(&wide);
  for (int i = 0; i < 64; i++) (void)open_on(i % 2 == 0 ? one : other, &peers[i]);
  assert_int_equal(shared->ops->live(shared), 0);
  const struct trp_net_request request = {.url = url_of("ws", "/")};
  assert_int_equal(one->ops->ws_open(one, &request, &link), TRP_LIMIT);
  trp_net_destroy(&one); /* makes room */
  assert_int_equal(other->ops->ws_open(other, &request, &link), TRP_OK);
  trp_net_destroy(&other);
}

static void a_port_does_not_listen(void **state) {
  (void)state;
  struct trp_net *other = another_port(NULL);
  uint16_t any = 0;
  assert_int_equal(other->ops->listen(other, "127.0.0.1", &any), TRP_WRONG_STATE);
  trp_net_destroy(&other);
}

static void a_url_that_is_none_is_refused_at_once(void **state) {
  (void)state;
  static const char *const bad[] = {NULL,       "", "ws://", "ftp://h/", "http://127.0.0.1:1/",
                                    "ws://h:0/"};
  uint64_t link;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const struct trp_net_request request = {.url = bad[i]};
    assert_int_equal(pair.client->ops->ws_open(pair.client, &request, &link), TRP_INVALID);
  }
  const struct trp_net_request request = {.url = "ws://127.0.0.1:1/"};
  assert_int_equal(pair.client->ops->http_send(pair.client, &request, &link), TRP_INVALID);
  assert_int_equal(pair.client->ops->live(pair.client), 0);
}

static void a_refused_port_fails_once(void **state) {
  (void)state;
  uint64_t link;
  const struct trp_net_request request = {.url = "ws://127.0.0.1:1/"};
  assert_int_equal(pair.client->ops->ws_open(pair.client, &request, &link), TRP_OK);
  struct trp_net_event failed = await(pair.client, TRP_NET_FAILED);
  assert_int_equal(failed.link, link);
  assert_int_equal(failed.err, TRP_CONNECT);
  assert_int_equal(pair.client->ops->live(pair.client), 0);
  assert_silent(pair.client, 20);
}

/* ---- HTTP ----------------------------------------------------------------------------------- */

static uint64_t request_http(const struct trp_net_request *request, struct trp_net_event *seen) {
  uint64_t link;
  assert_int_equal(pair.client->ops->http_send(pair.client, request, &link), TRP_OK);
  *seen = await(pair.server, TRP_NET_REQUEST);
  return link;
}

static void a_get_is_answered(void **state) {
  (void)state;
  struct trp_net_event seen;
  const struct trp_net_request request = {.url = url_of("http", "/api/v3/depth?symbol=A&limit=5")};
  uint64_t link = request_http(&request, &seen);
  assert_string_equal(seen.method, "GET");
  assert_string_equal(seen.path, "/api/v3/depth?symbol=A&limit=5");
  assert_int_equal(seen.size, 0);
  uint64_t ask = seen.link;
  assert_int_equal(
      pair.server->ops->respond(pair.server, ask, 200, "application/json", NULL, "{\"a\":1}", 7),
      TRP_OK);
  assert_int_equal(pair.server->ops->respond(pair.server, ask, 200, NULL, NULL, "", 0),
                   TRP_WRONG_STATE);
  struct trp_net_event response = await(pair.client, TRP_NET_RESPONSE);
  assert_int_equal(response.link, link);
  assert_int_equal(response.status, 200);
  assert_text(&response, "{\"a\":1}");
  await_live(pair.client, 0);
  await_live(pair.server, 0);
  assert_silent(pair.server, 5);
}

static void a_body_travels_both_ways(void **state) {
  (void)state;
  static uint8_t bytes[700000];
  struct trp_net_event seen;
  fill(bytes, sizeof bytes, 7);
  const struct trp_net_request request = {
      .url = url_of("http", "/order"), .method = "POST", .body = bytes, .body_bytes = sizeof bytes};
  request_http(&request, &seen);
  assert_string_equal(seen.method, "POST");
  assert_int_equal(seen.size, sizeof bytes);
  assert_memory_equal(seen.bytes, bytes, sizeof bytes);
  assert_int_equal(
      pair.server->ops->respond(pair.server, seen.link, 200, NULL, NULL, bytes, sizeof bytes),
      TRP_OK);
  struct trp_net_event response = await(pair.client, TRP_NET_RESPONSE);
  assert_int_equal(response.size, sizeof bytes);
  assert_memory_equal(response.bytes, bytes, sizeof bytes);
}

static void an_empty_answer_is_a_response_too(void **state) {
  (void)state;
  struct trp_net_event seen;
  static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
  for (size_t i = 0; i < 4; i++) {
    const struct trp_net_request request = {.url = url_of("http", "/"), .method = methods[i]};
    request_http(&request, &seen);
    assert_string_equal(seen.method, methods[i]);
    assert_int_equal(pair.server->ops->respond(pair.server, seen.link, 200, NULL, NULL, NULL, 0),
                     TRP_OK);
    struct trp_net_event response = await(pair.client, TRP_NET_RESPONSE);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.size, 0);
  }
  await_live(pair.client, 0);
  await_live(pair.server, 0);
}

static void a_refusal_carries_its_status_and_its_wait(void **state) {
  (void)state;
  struct trp_net_event seen;
  const struct trp_net_request request = {.url = url_of("http", "/")};
  request_http(&request, &seen);
  assert_int_equal(pair.server->ops->respond(pair.server, seen.link, 429, "text/plain",
                                             "Retry-After: 17\r\n", "slow down", 9),
                   TRP_OK);
  struct trp_net_event response = await(pair.client, TRP_NET_RESPONSE);
  assert_int_equal(response.status, 429);
  assert_int_equal(response.retry_after_s, 17);
  assert_text(&response, "slow down");
}

static void a_response_above_the_limit_fails(void **state) {
  (void)state;
  static const uint8_t bytes[5000];
  struct trp_net_event seen;
  const struct trp_net_request request = {.url = url_of("http", "/"), .frame_max = 4999};
  request_http(&request, &seen);
  assert_int_equal(pair.server->ops->respond(pair.server, seen.link, 200, NULL, NULL, bytes, 5000),
                   TRP_OK);
  assert_int_equal(await(pair.client, TRP_NET_FAILED).err, TRP_TOO_BIG);
  await_live(pair.client, 0);
  assert_silent(pair.client, 5);
}

static void a_request_that_nobody_answers_times_out(void **state) {
  (void)state;
  struct trp_net_event seen;
  const struct trp_net_request request = {.url = url_of("http", "/"), .timeout_ms = 60};
  request_http(&request, &seen);
  assert_int_equal(await(pair.client, TRP_NET_FAILED).err, TRP_TIMEOUT);
  pair.server->ops->cancel(pair.server, seen.link);
  assert_int_equal(pair.server->ops->live(pair.server), 0);
}

static void a_cancelled_request_says_nothing(void **state) {
  (void)state;
  struct trp_net_event seen;
  const struct trp_net_request request = {.url = url_of("http", "/")};
  uint64_t link = request_http(&request, &seen);
  pair.client->ops->cancel(pair.client, link);
  assert_int_equal(pair.client->ops->live(pair.client), 0);
  pair.server->ops->respond(pair.server, seen.link, 200, NULL, NULL, "x", 1);
  assert_silent(pair.client, 20);
  await_live(pair.server, 0);
}

/* ---- the net itself -------------------------------------------------------------------------- */

static void listening_again_keeps_the_port(void **state) {
  (void)state;
  uint16_t again = 0;
  assert_int_equal(pair.server->ops->listen(pair.server, "127.0.0.1", &again), TRP_OK);
  assert_int_equal(again, port);
}

static void a_net_with_live_links_is_destroyed_cleanly(void **state) {
  (void)state;
  uint64_t peer, link;
  struct trp_net_event seen;
  open_plain(&peer);
  link = open_plain(&peer);
  const struct trp_net_request http = {.url = url_of("http", "/")};
  request_http(&http, &seen);
  send_text(pair.server, peer, "never read");
  send_text(pair.client, link, "never read");
  const struct trp_net_request name = {.url = "ws://localhost:1/"};
  assert_int_equal(pair.client->ops->ws_open(pair.client, &name, &link), TRP_OK);
  maker->unmake(&pair);
  make_with(NULL);
  open_plain(&peer);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(a_websocket_opens_and_both_ends_talk),
      TEST(messages_keep_their_order_and_their_bytes),
      TEST(a_ping_is_answered_and_reported),
      TEST(traffic_without_a_ping_reports_none),
      TEST(a_close_by_the_client_is_proper_on_both_ends),
      TEST(a_close_by_the_server_is_proper_on_both_ends),
      TEST(a_close_of_both_at_once_ends_both_properly),
      TEST(queued_messages_leave_before_the_close),
      TEST(closing_before_it_is_open_reports_closed),
      TEST(a_close_that_nobody_answers_ends_in_time),
      TEST(a_cancelled_link_says_nothing_in_any_state),
      TEST(a_peer_that_vanishes_is_no_proper_close),
      TEST(a_cancelled_links_waiting_events_are_gone),
      TEST(a_message_above_the_limit_fails_the_link),
      TEST(a_held_link_reads_nothing_until_released),
      TEST(an_owner_that_takes_nothing_holds_the_sender_back),
      TEST(a_full_send_queue_says_so),
      TEST(no_more_links_than_agreed),
      TEST(a_url_that_is_none_is_refused_at_once),
      TEST(a_refused_port_fails_once),
      TEST(a_get_is_answered),
      TEST(a_body_travels_both_ways),
      TEST(an_empty_answer_is_a_response_too),
      TEST(a_refusal_carries_its_status_and_its_wait),
      TEST(a_response_above_the_limit_fails),
      TEST(a_request_that_nobody_answers_times_out),
      TEST(a_cancelled_request_says_nothing),
      TEST(listening_again_keeps_the_port),
      TEST(a_net_with_live_links_is_destroyed_cleanly),
      TEST(each_port_hears_of_its_own_links),
      TEST(what_a_port_cancels_is_its_own),
      TEST(a_port_whose_owner_takes_nothing_holds_back_nobody_else),
      TEST(ports_together_keep_the_shared_nets_bound),
      TEST(a_port_does_not_listen),
  };
  int failed = 0;
  for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
    maker = makers[i];
    failed += cmocka_run_group_tests_name(maker->name, tests, NULL, NULL);
  }
  return failed;
}
