// Savina's threadring: actors in a ring pass on the number of hops that are left; who gets 0 tells
// that the token is home.
#include "bench/peers/caf/bench.hpp"

using namespace caf;

struct member_state {
  uint64_t hops = 0;
  actor next;
};

behavior member(stateful_actor<member_state> *self, actor home) {
  return {
      [=](const actor &next) { self->state.next = next; },
      [=](uint64_t left) {
        if (left == 0) {
          self->send(home, done_atom::value);
          return;
        }
        ++self->state.hops;
        self->send(self->state.next, left - 1);
      },
      [=](result_atom) {
        self->state.next = nullptr; // else the ring keeps itself alive
        return self->state.hops;
      },
  };
}

uint64_t run(actor_system &system, uint64_t actors, uint64_t hops) {
  scoped_actor self{system};
  std::vector<actor> ring;
  for (uint64_t i = 0; i < actors; ++i) ring.push_back(system.spawn(member, actor{self}));
  for (uint64_t i = 0; i < actors; ++i) self->send(ring[i], ring[(i + 1) % actors]);
  auto began = peer_now_ns();
  self->send(ring[0], hops);
  self->receive([](done_atom) {});
  auto took = peer_now_ns() - began;
  uint64_t done = 0;
  for (auto &m : ring) done += ask_from_outside(system, m, result_atom::value);
  peer_expect("hops", done, hops);
  return took;
}

int main(int argc, char **argv) {
  peer_param params[] = {{"actors", 100, 1000000}, {"hops", 5000000, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  actor_system_config config;
  actor_system system{config};
  auto actors = params[0].value, hops = params[1].value;
  run(system, actors, peer_warm(hops));
  peer_tell_rate("hops", "hops/s", hops, run(system, actors, hops));
}
