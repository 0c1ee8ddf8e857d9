#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "test/unit/net_sim_world.h"

struct world *world_new(uint64_t seed) {
  struct world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  w->hub = trp_simhub_new(seed);
  assert_non_null(w->hub);
  assert_int_equal(trp_simhub_net(w->hub, &w->client), TRP_OK);
  assert_int_equal(trp_simhub_net(w->hub, &w->server), TRP_OK);
  uint16_t port = 8080;
  assert_int_equal(w->server->ops->listen(w->server, "127.0.0.1", &port), TRP_OK);
  return w;
}

void world_destroy(struct world *w) {
  trp_simhub_destroy(&w->hub);
  assert_null(w->hub);
  free(w);
}

int world_setup(void **state) {
  *state = world_new(1);
  return 0;
}

int world_teardown(void **state) {
  world_destroy(*state);
  return 0;
}

void pump(struct world *w, uint64_t ns) {
  struct trp_sim_source *source = trp_simhub_source(w->hub);
  uint64_t until_ns = w->now_ns + ns;
  for (unsigned steps = 0; source->next_ns(source) <= until_ns; steps++) {
    assert_true(steps < 1000000);
    if (source->next_ns(source) > w->now_ns) w->now_ns = source->next_ns(source);
    source->run(source, w->now_ns);
  }
  w->now_ns = until_ns;
  source->run(source, w->now_ns);
}

const struct trp_net_event *take(struct world *w, struct trp_net *net,
                                 enum trp_net_event_kind kind) {
  assert_true(net->ops->next(net, &w->event));
  assert_int_equal(w->event.kind, kind);
  return &w->event;
}

void nothing_comes(struct trp_net *net) {
  struct trp_net_event event;
  assert_false(net->ops->next(net, &event));
}

uint64_t dial(struct world *w, const char *url, uint32_t timeout_ms) {
  uint64_t link = 0;
  struct trp_net_request request = {.url = url, .timeout_ms = timeout_ms};
  assert_int_equal(w->client->ops->ws_open(w->client, &request, &link), TRP_OK);
  assert_true(link != 0);
  return link;
}

uint64_t fetch(struct world *w, uint32_t timeout_ms) {
  uint64_t link = 0;
  struct trp_net_request request = {.url = "http://localhost:8080/api?x=1",
                                    .method = "POST",
                                    .body = "hello",
                                    .body_bytes = 5,
                                    .timeout_ms = timeout_ms};
  assert_int_equal(w->client->ops->http_send(w->client, &request, &link), TRP_OK);
  return link;
}

void open_pair(struct world *w) {
  w->link = dial(w, URL, 0);
  pump(w, 10 * MS);
  assert_int_equal(take(w, w->client, TRP_NET_OPENED)->link, w->link);
  w->peer = take(w, w->server, TRP_NET_ACCEPTED)->link;
  assert_string_equal(w->event.path, "/ws?a=b");
}

enum trp_err say(struct trp_net *net, uint64_t link, const char *text) {
  return net->ops->ws_send(net, link, false, text, strlen(text));
}

void hear(struct world *w, struct trp_net *net, const char *text) {
  take(w, net, TRP_NET_FRAME);
  assert_int_equal(w->event.size, strlen(text));
  assert_memory_equal(w->event.bytes, text, strlen(text));
}

void nobody_is_left(struct world *w) {
  nothing_comes(w->client);
  nothing_comes(w->server);
  assert_int_equal(w->client->ops->live(w->client), 0);
  assert_int_equal(w->server->ops->live(w->server), 0);
  assert_int_equal(trp_simhub_connections(w->hub), 0);
  assert_true(trp_simhub_source(w->hub)->next_ns(trp_simhub_source(w->hub)) == TRP_FOREVER);
}

void set(struct world *w, struct trp_simhub_conditions conditions) {
  assert_int_equal(trp_simhub_set(w->hub, SERVER, &conditions), TRP_OK);
}
