// An open loop: the main thread sends by the clock, whether the others get through or not, and an
// actor on the scheduler notes how long after its moment each message came.
#include "bench/peers/caf/bench.hpp"

using namespace caf;

struct tick {
  uint64_t due_ns;
  std::array<uint8_t, payload_bytes - sizeof(uint64_t)> rest;
};

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tick)

behavior receiver(event_based_actor *self, uint64_t *late_ns, size_t expected, actor home) {
  auto received = size_t{0};
  return {
      [=](const tick &t) mutable {
        late_ns[received] = peer_now_ns() - t.due_ns;
        if (++received < expected) return;
        self->send(home, done_atom::value);
        self->quit();
      },
  };
}

void run(actor_system &system, uint64_t rate, uint64_t *late_ns, size_t count) {
  scoped_actor self{system};
  auto receive = system.spawn(receiver, late_ns, count, actor{self});
  auto began = peer_now_ns();
  for (size_t i = 0; i < count; ++i) {
    tick t{};
    t.due_ns = peer_await_due(began, i, rate);
    self->send(receive, t);
  }
  self->receive([](done_atom) {});
}

int main(int argc, char **argv) {
  peer_param params[] = {{"rate", 100000, PEER_SAMPLES_MAX / 10}, {"seconds", 2, 10}};
  peer_open(argc, argv, params, 2);
  actor_system_config config;
  actor_system system{config};
  auto rate = params[0].value;
  std::vector<uint64_t> late_ns(rate * params[1].value);
  run(system, rate, late_ns.data(), peer_warm(late_ns.size()));
  run(system, rate, late_ns.data(), late_ns.size());
  peer_tell_quantiles(late_ns.data(), late_ns.size());
}
