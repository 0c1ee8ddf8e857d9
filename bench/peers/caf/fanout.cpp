// Fan-out: one publisher, several subscribers; every message is sent to every one of them.
#include "bench/peers/caf/bench.hpp"

using namespace caf;

struct subscriber_state {
  uint64_t received = 0;
};

behavior subscriber(stateful_actor<subscriber_state> *self, uint64_t messages) {
  return {
      [=](const payload &) {
        if (++self->state.received == messages) self->quit();
      },
  };
}

behavior publisher(event_based_actor *self, std::vector<actor> subscribers, uint64_t messages) {
  return {
      [=](start_atom) {
        payload p{};
        for (uint64_t i = 0; i < messages; ++i) {
          for (auto &subscriber : subscribers) self->send(subscriber, p);
        }
        self->quit();
      },
  };
}

uint64_t run(actor_system &system, uint64_t count, uint64_t messages) {
  std::vector<actor> subscribers;
  for (uint64_t i = 0; i < count; ++i) subscribers.push_back(system.spawn(subscriber, messages));
  auto publish = system.spawn(publisher, subscribers, messages);
  auto began = peer_now_ns();
  anon_send(publish, start_atom::value);
  system.await_all_actors_done(); // each ends with its last message
  return peer_now_ns() - began;
}

int main(int argc, char **argv) {
  peer_param params[] = {{"subscribers", 8, PEER_ACTORS_MAX}, {"messages", 500000, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  actor_system_config config;
  actor_system system{config};
  auto subscribers = params[0].value, messages = params[1].value;
  run(system, subscribers, peer_warm(messages));
  auto took = run(system, subscribers, messages);
  peer_tell_rate("deliveries", "msg/s", subscribers * messages, took);
}
