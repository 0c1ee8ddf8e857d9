/* The simulated network: the plain course, bounds, and links that end early. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "test/unit/net_sim_world.h"

/* The two functions of the runtime that a net calls; here the world is the system. */
void trp_notify(struct trp_system *system, struct trp_ref slot) {
  (void)slot;
  ((struct world *)system)->notified++;
}

uint64_t trp_system_now_ns(struct trp_system *system) { return ((struct world *)system)->now_ns; }

/* ---- the plain course ----------------------------------------------------------------------- */

static void frames_arrive_in_order_and_whole(void **state) {
  struct world *w = *state;
  open_pair(w);
  assert_int_equal(say(w->client, w->link, "one"), TRP_OK);
  assert_int_equal(say(w->client, w->link, ""), TRP_OK);
  assert_int_equal(w->client->ops->ws_send(w->client, w->link, true, "\0\1", 2), TRP_OK);
  nothing_comes(w->server); /* nothing is instant */
  pump(w, MS);
  hear(w, w->server, "one");
  assert_int_equal(w->event.link, w->peer);
  assert_false(w->event.binary);
  assert_true(w->event.at_ns > 10 * MS && w->event.at_ns <= 11 * MS);
  hear(w, w->server, "");
  take(w, w->server, TRP_NET_FRAME);
  assert_true(w->event.binary);
  assert_int_equal(w->event.size, 2);
  assert_int_equal(say(w->server, w->peer, "back"), TRP_OK);
  pump(w, MS);
  hear(w, w->client, "back");
}

static void a_ping_is_answered_by_the_net(void **state) {
  struct world *w = *state;
  open_pair(w);
  char large[126] = {0};
  assert_int_equal(w->client->ops->ws_ping(w->client, w->link, large, sizeof large), TRP_TOO_BIG);
  assert_int_equal(w->client->ops->ws_ping(w->client, w->link, "p", 1), TRP_OK);
  pump(w, MS);
  take(w, w->server, TRP_NET_PING);
  take(w, w->client, TRP_NET_PONG);
  assert_memory_equal(w->event.bytes, "p", 1);
}

static void a_close_is_proper_on_both_sides_and_after_what_was_queued(void **state) {
  struct world *w = *state;
  open_pair(w);
  assert_int_equal(say(w->client, w->link, "last"), TRP_OK);
  w->client->ops->ws_close(w->client, w->link, 1001, "bye", 1000);
  assert_int_equal(say(w->client, w->link, "more"), TRP_WRONG_STATE);
  pump(w, MS);
  hear(w, w->server, "last");
  take(w, w->server, TRP_NET_CLOSED);
  assert_true(w->event.proper);
  assert_int_equal(w->event.code, 1001);
  assert_string_equal(w->event.reason, "bye");
  take(w, w->client, TRP_NET_CLOSED);
  assert_true(w->event.proper);
  assert_int_equal(w->event.code, 1001);
  nobody_is_left(w); /* the deadline of the close too */
}

static void two_closes_that_cross_are_both_proper(void **state) {
  struct world *w = *state;
  open_pair(w);
  w->client->ops->ws_close(w->client, w->link, 1000, "a", 1000);
  w->server->ops->ws_close(w->server, w->peer, 1001, NULL, 1000);
  pump(w, MS);
  assert_true(take(w, w->client, TRP_NET_CLOSED)->proper);
  assert_int_equal(w->event.code, 1001);
  assert_true(take(w, w->server, TRP_NET_CLOSED)->proper);
  assert_int_equal(w->event.code, 1000);
  nobody_is_left(w);
}

static void a_request_is_answered_with_status_body_and_retry_after(void **state) {
  struct world *w = *state;
  uint64_t link = fetch(w, 0);
  pump(w, MS);
  take(w, w->server, TRP_NET_REQUEST);
  assert_string_equal(w->event.method, "POST");
  assert_string_equal(w->event.path, "/api?x=1");
  assert_int_equal(w->event.size, 5);
  assert_memory_equal(w->event.bytes, "hello", 5);
  uint64_t peer = w->event.link;
  static const char extra[] = "X-Weight: 7\r\nretry-after: 3\r\n";
  assert_int_equal(
      w->server->ops->respond(w->server, peer, 429, "text/plain", extra, "slow down", 9), TRP_OK);
  assert_int_equal(w->server->ops->respond(w->server, peer, 200, NULL, NULL, NULL, 0),
                   TRP_WRONG_STATE);
  assert_int_equal(w->server->ops->live(w->server), 0);
  pump(w, MS);
  take(w, w->client, TRP_NET_RESPONSE);
  assert_int_equal(w->event.link, link);
  assert_int_equal(w->event.status, 429);
  assert_int_equal(w->event.retry_after_s, 3);
  assert_memory_equal(w->event.bytes, "slow down", 9);
  nobody_is_left(w);
}

static void a_bound_net_tells_its_slot(void **state) {
  struct world *w = *state;
  trp_net_bind(w->client, (struct trp_system *)w, (struct trp_ref){7});
  open_pair(w);
  assert_int_equal(w->notified, 1);
  w->now_ns += 500 * MS; /* the system's clock went on, the hub was not run */
  w->client->ops->ws_close(w->client, w->link, 1000, "", 1000);
  pump(w, MS);
  take(w, w->client, TRP_NET_CLOSED);
  assert_true(w->event.proper);
  assert_true(w->event.at_ns >= 510 * MS);
  assert_int_equal(w->notified, 2);
}

/* ---- wrong use and bounds ------------------------------------------------------------------- */

static void a_bad_url_is_refused(void **state) {
  struct world *w = *state;
  static const char *const urls[] = {NULL,         "",
                                     "ws:/x",      "http://h/",
                                     "ws://",      "ws://:80/",
                                     "ws://h:0/",  "ws://h:65536/",
                                     "ws://h:8x/", "ws://u@h/",
                                     "ws://h/a b", "ws://h/\r\n",
                                     "ws://[::1/", "ws://[::1]x/"};
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    uint64_t link = 0;
    struct trp_net_request request = {.url = urls[i]};
    assert_int_equal(w->client->ops->ws_open(w->client, &request, &link), TRP_INVALID);
  }
  nobody_is_left(w);
}

static void a_taken_address_and_an_unheard_of_one_say_connect(void **state) {
  struct world *w = *state;
  uint16_t port = 8080;
  assert_int_equal(w->client->ops->listen(w->client, "localhost", &port), TRP_CONNECT);
  port = 0;
  assert_int_equal(w->client->ops->listen(w->client, "localhost", &port), TRP_OK);
  assert_true(port != 0);
  dial(w, "ws://127.0.0.1:9/", 0);
  pump(w, MS);
  take(w, w->client, TRP_NET_FAILED);
  assert_int_equal(w->event.err, TRP_CONNECT);
  assert_non_null(w->event.reason);
  nobody_is_left(w);
}

static void a_net_listens_once_and_for_all_its_incarnations(void **state) {
  struct world *w = *state;
  uint16_t port = 0;
  assert_int_equal(w->server->ops->listen(w->server, "127.0.0.1", &port), TRP_OK);
  assert_int_equal(port, 8080);
  port = 8081;
  assert_int_equal(w->server->ops->listen(w->server, "127.0.0.1", &port), TRP_INVALID);
  open_pair(w);
}

static void a_server_without_room_refuses(void **state) {
  struct world *w = *state;
  struct trp_net *small = NULL;
  struct trp_net_options options = {.links_max = 1};
  uint16_t port = 81;
  assert_int_equal(trp_simhub_net_with(w->hub, &small, &options), TRP_OK);
  assert_int_equal(small->ops->listen(small, "0.0.0.0", &port), TRP_OK); /* any host */
  dial(w, "ws://small.example.com:81/", 0);
  pump(w, MS);
  take(w, w->client, TRP_NET_OPENED);
  take(w, small, TRP_NET_ACCEPTED);
  dial(w, "ws://small.example.com:81/", 0);
  pump(w, MS);
  assert_int_equal(take(w, w->client, TRP_NET_FAILED)->err, TRP_PROTOCOL);
  uint64_t link = 0;
  struct trp_net_request request = {.url = "http://small.example.com:81/"};
  assert_int_equal(w->client->ops->http_send(w->client, &request, &link), TRP_OK);
  pump(w, MS);
  assert_int_equal(take(w, w->client, TRP_NET_RESPONSE)->status, 503);
  nothing_comes(small);
}

static void a_full_send_queue_says_full_and_the_rest_arrives(void **state) {
  struct world *w = *state;
  open_pair(w);
  w->server->ops->hold(w->server, w->peer, true);
  unsigned char bytes[1000] = {0};
  unsigned sent = 0;
  while (w->client->ops->ws_send(w->client, w->link, true, bytes, sizeof bytes) == TRP_OK) {
    assert_true(++sent < 10000);
    bytes[0] = (unsigned char)sent;
  }
  assert_true(sent > 1024); /* the queue's bound, and what the socket took */
  assert_int_equal(say(w->client, w->link, "x"), TRP_FULL);
  pump(w, 1000 * MS);
  nothing_comes(w->server);
  assert_int_equal(say(w->client, w->link, "x"), TRP_FULL);
  w->server->ops->hold(w->server, w->peer, false);
  pump(w, MS);
  for (unsigned i = 0; i < sent; i++) {
    take(w, w->server, TRP_NET_FRAME);
    assert_int_equal(*(const unsigned char *)w->event.bytes, i % 256);
  }
  nothing_comes(w->server);
  assert_int_equal(say(w->client, w->link, "x"), TRP_OK);
}

static void a_close_is_answered_though_reading_was_held(void **state) {
  struct world *w = *state;
  open_pair(w);
  w->client->ops->hold(w->client, w->link, true);
  assert_int_equal(say(w->server, w->peer, "unread"), TRP_OK);
  pump(w, MS);
  nothing_comes(w->client);
  w->client->ops->ws_close(w->client, w->link, 1000, "", 1000);
  pump(w, MS);
  assert_true(take(w, w->client, TRP_NET_CLOSED)->proper);
  assert_true(take(w, w->server, TRP_NET_CLOSED)->proper);
  nobody_is_left(w);
}

static void links_and_waiting_events_are_bounded(void **state) {
  struct world *w = *state;
  struct trp_net *small = NULL;
  struct trp_net_options options = {.links_max = 1, .event_bytes_max = 1000};
  assert_int_equal(trp_simhub_net_with(w->hub, &small, &options), TRP_OK);
  uint64_t link = 0;
  uint64_t other = 0;
  struct trp_net_request request = {.url = URL};
  assert_int_equal(small->ops->ws_open(small, &request, &link), TRP_OK);
  assert_int_equal(small->ops->ws_open(small, &request, &other), TRP_LIMIT);
  pump(w, MS);
  take(w, small, TRP_NET_OPENED);
  uint64_t peer = take(w, w->server, TRP_NET_ACCEPTED)->link;
  char bytes[600] = {0};
  for (int i = 0; i < 10; i++) {
    assert_int_equal(w->server->ops->ws_send(w->server, peer, true, bytes, 600), TRP_OK);
  }
  for (int i = 0; i < 10; i += 2) { /* two fill it; more come only when they were taken */
    pump(w, MS);
    take(w, small, TRP_NET_FRAME);
    take(w, small, TRP_NET_FRAME);
    nothing_comes(small);
  }
  w->server->ops->ws_close(w->server, peer, 1000, "", 100);
  pump(w, MS);
  take(w, small, TRP_NET_CLOSED);
  assert_int_equal(small->ops->ws_open(small, &request, &other), TRP_OK);
  assert_true(other != link);
  trp_simhub_drop(w->hub, NULL);
  take(w, small, TRP_NET_FAILED);
  small->ops->destroy(small);
}

static void what_is_larger_than_allowed_ends_the_link(void **state) {
  struct world *w = *state;
  struct trp_net_request request = {.url = URL, .frame_max = 4};
  assert_int_equal(w->client->ops->ws_open(w->client, &request, &w->link), TRP_OK);
  pump(w, MS);
  take(w, w->client, TRP_NET_OPENED);
  uint64_t peer = take(w, w->server, TRP_NET_ACCEPTED)->link;
  assert_int_equal(say(w->server, peer, "four"), TRP_OK);
  assert_int_equal(say(w->server, peer, "fiver"), TRP_OK);
  assert_int_equal(say(w->server, peer, "x"), TRP_OK);
  pump(w, MS);
  hear(w, w->client, "four");
  assert_int_equal(take(w, w->client, TRP_NET_FAILED)->err, TRP_TOO_BIG);
  assert_int_equal(take(w, w->server, TRP_NET_CLOSED)->code, 1009);
  nobody_is_left(w);
}

/* ---- ending early --------------------------------------------------------------------------- */

static void a_cancelled_link_is_silent_and_its_peer_sees_a_dead_socket(void **state) {
  struct world *w = *state;
  open_pair(w);
  assert_int_equal(say(w->server, w->peer, "unread"), TRP_OK);
  pump(w, MS);
  w->client->ops->cancel(w->client, w->link);
  w->client->ops->cancel(w->client, w->link);
  nothing_comes(w->client);
  pump(w, MS);
  take(w, w->server, TRP_NET_CLOSED);
  assert_false(w->event.proper);
  assert_int_equal(w->event.code, 1006);
  nobody_is_left(w);
}

static void a_cancel_works_while_resolving_and_connecting(void **state) {
  struct world *w = *state;
  struct trp_simhub_conditions slow = trp_simhub_calm();
  slow.resolve_ns = 5 * MS;
  slow.delay_min_ns = slow.delay_max_ns = 5 * MS;
  set(w, slow);
  for (uint64_t ms = 0; ms < 20; ms += 2) { /* the handshake is over after 15 */
    uint64_t link = dial(w, URL, 0);
    pump(w, ms * MS);
    w->client->ops->cancel(w->client, link);
    pump(w, 30 * MS);
    nothing_comes(w->client);
    if (trp_simhub_connections(w->hub) > 0) {
      assert_true(ms >= 10);
      take(w, w->server, TRP_NET_ACCEPTED);
      take(w, w->server, TRP_NET_CLOSED);
    }
    nobody_is_left(w);
  }
}

static void a_close_before_it_is_open_is_a_cancel_with_closed(void **state) {
  struct world *w = *state;
  uint64_t link = dial(w, URL, 0);
  w->client->ops->ws_close(w->client, link, 1000, "", 1000);
  take(w, w->client, TRP_NET_CLOSED);
  assert_int_equal(w->event.link, link);
  assert_false(w->event.proper);
  pump(w, 100 * MS);
  nobody_is_left(w);
}

static void an_asker_that_hangs_up_is_told_to_the_server(void **state) {
  struct world *w = *state;
  uint64_t link = fetch(w, 0);
  pump(w, MS);
  uint64_t peer = take(w, w->server, TRP_NET_REQUEST)->link;
  w->client->ops->cancel(w->client, link);
  pump(w, MS);
  assert_int_equal(take(w, w->server, TRP_NET_CLOSED)->link, peer);
  nobody_is_left(w);
}

static void a_response_that_does_not_come_fails_by_time_out(void **state) {
  struct world *w = *state;
  fetch(w, 100);
  pump(w, 99 * MS);
  uint64_t peer = take(w, w->server, TRP_NET_REQUEST)->link;
  nothing_comes(w->client);
  pump(w, MS);
  assert_int_equal(take(w, w->client, TRP_NET_FAILED)->err, TRP_TIMEOUT);
  pump(w, MS);
  assert_int_equal(take(w, w->server, TRP_NET_CLOSED)->link, peer);
  nobody_is_left(w);
}

static void a_client_that_gave_up_is_never_heard_of(void **state) {
  struct world *w = *state;
  set(w, (struct trp_simhub_conditions){.delay_min_ns = 5 * MS, .delay_max_ns = 5 * MS});
  dial(w, URL, 1);
  assert_int_equal(w->client->ops->live(w->client), 1);
  pump(w, 100 * MS); /* the failure waits, untaken, while the handshake would arrive */
  assert_int_equal(w->client->ops->live(w->client), 0);
  assert_int_equal(take(w, w->client, TRP_NET_FAILED)->err, TRP_TIMEOUT);
  nobody_is_left(w);
  dial(w, URL, 6); /* given up after the server accepted */
  pump(w, 100 * MS);
  take(w, w->server, TRP_NET_ACCEPTED);
  assert_false(take(w, w->server, TRP_NET_CLOSED)->proper);
  assert_int_equal(take(w, w->client, TRP_NET_FAILED)->err, TRP_TIMEOUT);
  nobody_is_left(w);
}

static void an_open_link_outlives_the_deadline_of_its_opening(void **state) {
  struct world *w = *state;
  open_pair(w);
  pump(w, 60000 * MS);
  assert_int_equal(say(w->client, w->link, "still here"), TRP_OK);
  pump(w, MS);
  hear(w, w->server, "still here");
  nothing_comes(w->client);
}

static void a_net_that_goes_takes_its_links_and_its_address(void **state) {
  struct world *w = *state;
  open_pair(w);
  w->server->ops->destroy(w->server);
  pump(w, MS);
  take(w, w->client, TRP_NET_CLOSED);
  assert_false(w->event.proper);
  dial(w, URL, 0);
  pump(w, MS);
  assert_int_equal(take(w, w->client, TRP_NET_FAILED)->err, TRP_CONNECT);
  assert_int_equal(trp_simhub_connections(w->hub), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(frames_arrive_in_order_and_whole),
      CASE(a_ping_is_answered_by_the_net),
      CASE(a_close_is_proper_on_both_sides_and_after_what_was_queued),
      CASE(two_closes_that_cross_are_both_proper),
      CASE(a_request_is_answered_with_status_body_and_retry_after),
      CASE(a_bound_net_tells_its_slot),
      CASE(a_bad_url_is_refused),
      CASE(a_taken_address_and_an_unheard_of_one_say_connect),
      CASE(a_net_listens_once_and_for_all_its_incarnations),
      CASE(a_server_without_room_refuses),
      CASE(a_full_send_queue_says_full_and_the_rest_arrives),
      CASE(a_close_is_answered_though_reading_was_held),
      CASE(links_and_waiting_events_are_bounded),
      CASE(what_is_larger_than_allowed_ends_the_link),
      CASE(a_cancelled_link_is_silent_and_its_peer_sees_a_dead_socket),
      CASE(a_cancel_works_while_resolving_and_connecting),
      CASE(a_close_before_it_is_open_is_a_cancel_with_closed),
      CASE(an_asker_that_hangs_up_is_told_to_the_server),
      CASE(a_response_that_does_not_come_fails_by_time_out),
      CASE(a_client_that_gave_up_is_never_heard_of),
      CASE(an_open_link_outlives_the_deadline_of_its_opening),
      CASE(a_net_that_goes_takes_its_links_and_its_address),
  };
  return cmocka_run_group_tests_name("net_sim", tests, NULL, NULL);
}
