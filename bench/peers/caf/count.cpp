// Savina's count: a producer sends so many messages to a counter and then asks it for the result.
#include "bench/peers/caf/bench.hpp"

using namespace caf;

struct counter_state {
  uint64_t count = 0;
};

behavior counter(stateful_actor<counter_state> *self) {
  return {
      [=](const payload &) { ++self->state.count; },
      [=](result_atom) { return self->state.count; },
  };
}

behavior producer(event_based_actor *self, actor counter, uint64_t messages) {
  return {
      [=](start_atom) {
        payload p{};
        for (uint64_t i = 0; i < messages; ++i) self->send(counter, p);
        return self->delegate(counter, result_atom::value);
      },
  };
}

uint64_t run(actor_system &system, uint64_t messages) {
  auto count = system.spawn(counter);
  auto produce = system.spawn(producer, count, messages);
  auto began = peer_now_ns();
  auto counted = ask_from_outside(system, produce, start_atom::value);
  auto took = peer_now_ns() - began;
  peer_expect("messages counted", counted, messages);
  return took;
}

int main(int argc, char **argv) {
  peer_param params[] = {{"messages", 5000000, UINT32_MAX}, {"payload", payload_bytes, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  peer_fixed("payload", params[1].value, payload_bytes);
  actor_system_config config;
  actor_system system{config};
  auto messages = params[0].value;
  run(system, peer_warm(messages));
  peer_tell_rate("messages", "msg/s", messages, run(system, messages));
}
