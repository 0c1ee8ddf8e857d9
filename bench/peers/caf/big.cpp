// Savina's big: each actor pings a partner drawn at random, waits for the pong, and pings the next;
// meanwhile it answers the others. Pings and pongs both count. A sink, here the main thread, hears
// who is done and then ends them all.
#include <random>

#include "bench/peers/caf/bench.hpp"

using namespace caf;

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<actor>)

struct big_state {
  std::vector<actor> company;
  actor partner;
  uint64_t pings = 0;
  std::minstd_rand random;
};

void ping_next(stateful_actor<big_state> *self) {
  auto &s = self->state;
  s.partner = s.company[s.random() % s.company.size()];
  ++s.pings;
  self->send(s.partner, ping_atom::value);
}

behavior big(stateful_actor<big_state> *self, actor sink, unsigned seed, uint64_t pings) {
  self->state.random.seed(seed);
  return {
      [=](const std::vector<actor> &company) {
        self->state.company = company;
        ping_next(self);
      },
      [=](ping_atom) { return pong_atom::value; },
      [=](pong_atom) {
        if (self->current_sender() != self->state.partner) peer_fail("a pong of a stranger");
        if (self->state.pings < pings) {
          ping_next(self);
        } else {
          self->send(sink, done_atom::value, self->state.pings);
        }
      },
      [=](stop_atom) {
        self->state.company.clear(); // else they keep each other alive
        self->quit();
      },
  };
}

uint64_t run(actor_system &system, uint64_t actors, uint64_t pings) {
  scoped_actor sink{system};
  std::vector<actor> company;
  for (unsigned i = 1; i <= actors; ++i) {
    company.push_back(system.spawn(big, actor{sink}, i, pings));
  }
  uint64_t done = 0, i = 0;
  auto began = peer_now_ns();
  for (auto &one : company) sink->send(one, company);
  sink->receive_for(i, actors)([&](done_atom, uint64_t n) { done += n; });
  auto took = peer_now_ns() - began;
  for (auto &one : company) sink->send(one, stop_atom::value);
  peer_expect("pongs", done, actors * pings);
  return took;
}

int main(int argc, char **argv) {
  peer_param params[] = {{"actors", 120, 10000}, {"pings", 2000, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  actor_system_config config;
  actor_system system{config};
  auto actors = params[0].value, pings = params[1].value;
  run(system, actors, peer_warm(pings));
  peer_tell_rate("messages", "msg/s", 2 * actors * pings, run(system, actors, pings));
}
