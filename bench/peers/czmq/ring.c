/* ring.c - Savina's threadring over CZMQ: actors in a ring, with a PUSH and a PULL socket between
 * neighbours, pass on the number of hops that are left. An empty frame goes around once and ends
 * them. */
#include <czmq.h>

#include "bench/peers/peer.h"

enum {
  SOCKETS_MAX = 4096, /* the context has 1023 unless told */
  MEMBERS_MAX = 400   /* with five sockets each, those of the last run perhaps not yet gone */
};

#define HOME "inproc://home"

struct member {
  size_t self, next;
  uint64_t hops, deadline_ns;
  bool last;
};

static void send_number(zsock_t *to, uint64_t number) {
  zframe_t *frame = zframe_new(&number, sizeof number);
  if (zframe_send(&frame, to, 0) != 0) peer_fail("a frame cannot be sent");
}

static bool receive_number(zsock_t *from, uint64_t *number) {
  zframe_t *frame = zframe_recv(from);
  if (frame == NULL) peer_fail("interrupted");
  bool whole = zframe_size(frame) == sizeof *number;
  if (whole) memcpy(number, zframe_data(frame), sizeof *number);
  zframe_destroy(&frame);
  return whole;
}

static void member(zsock_t *pipe, void *args) {
  struct member *m = args;
  uint64_t left;
  zsock_t *pull = zsock_new(ZMQ_PULL), *push = zsock_new(ZMQ_PUSH),
          *home = zsock_new_push(">" HOME);
  if (pull == NULL || push == NULL || home == NULL) peer_fail("no sockets");
  if (zsock_bind(pull, "inproc://ring-%zu", m->self) < 0 ||
      zsock_connect(push, "inproc://ring-%zu", m->next) < 0) {
    peer_fail("the sockets of the ring cannot be joined");
  }
  zsock_signal(pipe, 0);
  while (receive_number(pull, &left)) {
    if (left == 0 || peer_over(m->hops, m->deadline_ns)) {
      send_number(home, left);
    } else {
      m->hops++;
      send_number(push, left - 1);
    }
  }
  zframe_t *stop = zframe_new_empty();
  if (!m->last) zframe_send(&stop, push, 0);
  zframe_destroy(&stop);
  zsock_destroy(&home);
  zsock_destroy(&push);
  zsock_unbind(pull, "inproc://ring-%zu", m->self); /* closing alone frees the name some day */
  zsock_destroy(&pull);
}

static uint64_t run(size_t count, uint64_t *hops, uint64_t limit_ns) {
  struct member *ring = peer_alloc(count, sizeof *ring);
  zactor_t **actors = peer_alloc(count, sizeof *actors);
  zsock_t *home = zsock_new_pull("@" HOME);
  uint64_t began_ns = peer_now_ns(), left = 0, done = 0;
  if (home == NULL) peer_fail("no PULL socket");
  for (size_t i = 0; i < count; i++) {
    ring[i] = (struct member){.self = i,
                              .next = (i + 1) % count,
                              .deadline_ns = began_ns + limit_ns,
                              .last = i + 1 == count};
    actors[i] = zactor_new(member, &ring[i]);
    if (actors[i] == NULL) peer_fail("no actor");
  }
  zsock_t *first = zsock_new_push(">inproc://ring-0");
  if (first == NULL) peer_fail("no socket to the first");

  began_ns = peer_now_ns();
  send_number(first, *hops);
  if (!receive_number(home, &left)) peer_fail("the token is lost");
  uint64_t took_ns = peer_now_ns() - began_ns;

  zframe_t *stop = zframe_new_empty();
  zframe_send(&stop, first, 0);
  for (size_t i = 0; i < count; i++) {
    zactor_destroy(&actors[i]);
    done += ring[i].hops;
  }
  zsock_destroy(&first);
  zsock_unbind(home, HOME);
  zsock_destroy(&home);
  peer_expect("hops", done, *hops - left);
  free(actors);
  free(ring);
  *hops = done;
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"actors", 100, MEMBERS_MAX}, {"hops", 5000000, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  zsys_set_max_sockets(SOCKETS_MAX);
  uint64_t actors = params[0].value, hops = params[1].value, warm = peer_warm(hops);
  run(actors, &warm, PEER_WARM_NS);
  uint64_t took_ns = run(actors, &hops, PEER_RUN_NS);
  peer_tell_rate("hops", "hops/s", hops, took_ns);
  return 0;
}
