// Fan-in: several producers send to one consumer, which answers when it has all of them.
#include "bench/peers/caf/bench.hpp"

using namespace caf;

struct consumer_state {
  uint64_t count = 0;
  response_promise answer;
};

behavior consumer(stateful_actor<consumer_state> *self, uint64_t expected) {
  return {
      [=](const payload &) {
        if (++self->state.count == expected) self->state.answer.deliver(self->state.count);
      },
      // The producers start when somebody waits for the answer.
      [=](start_atom, const std::vector<actor> &producers) {
        self->state.answer = self->make_response_promise();
        for (auto &producer : producers) self->send(producer, start_atom::value);
        return self->state.answer;
      },
  };
}

behavior producer(event_based_actor *self, actor consumer, uint64_t share) {
  return {
      [=](start_atom) {
        payload p{};
        for (uint64_t i = 0; i < share; ++i) self->send(consumer, p);
      },
  };
}

uint64_t run(actor_system &system, uint64_t producers, uint64_t share) {
  auto consume = system.spawn(consumer, share * producers);
  std::vector<actor> all;
  for (uint64_t i = 0; i < producers; ++i) all.push_back(system.spawn(producer, consume, share));
  auto began = peer_now_ns();
  auto counted = ask_from_outside(system, consume, start_atom::value, all);
  auto took = peer_now_ns() - began;
  peer_expect("messages consumed", counted, share * producers);
  return took;
}

int main(int argc, char **argv) {
  peer_param params[] = {{"producers", 4, PEER_ACTORS_MAX},
                         {"messages", 4000000, UINT32_MAX},
                         {"payload", payload_bytes, UINT32_MAX}};
  peer_open(argc, argv, params, 3);
  peer_fixed("payload", params[2].value, payload_bytes);
  actor_system_config config;
  actor_system system{config};
  auto producers = params[0].value;
  auto share = std::max<uint64_t>(params[1].value / producers, 1);
  run(system, producers, peer_warm(share));
  auto took = run(system, producers, share);
  peer_tell_rate("messages", "msg/s", share * producers, took);
}
