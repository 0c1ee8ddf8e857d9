// Savina's fork-join throughput: each of so many actors gets so many messages in turn with the
// others, does a little arithmetic for each, and ends.
#include "bench/peers/caf/bench.hpp"

using namespace caf;

struct worker_state {
  uint64_t received = 0;
  double sum = 0;
};

behavior worker(stateful_actor<worker_state> *self, uint64_t messages) {
  return {
      [=](double theta) {
        self->state.sum += peer_work(theta);
        if (++self->state.received == messages) self->quit();
      },
  };
}

uint64_t run(actor_system &system, uint64_t actors, uint64_t messages) {
  auto began = peer_now_ns();
  std::vector<actor> workers;
  for (uint64_t i = 0; i < actors; ++i) workers.push_back(system.spawn(worker, messages));
  for (uint64_t n = 0; n < messages; ++n) {
    for (auto &worker : workers) anon_send(worker, PEER_THETA);
  }
  system.await_all_actors_done(); // each ends with its last message
  return peer_now_ns() - began;
}

int main(int argc, char **argv) {
  peer_param params[] = {{"actors", 60, 1000000}, {"messages", 20000, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  actor_system_config config;
  actor_system system{config};
  auto actors = params[0].value, messages = params[1].value;
  run(system, actors, peer_warm(messages));
  peer_tell_rate("messages", "msg/s", actors * messages, run(system, actors, messages));
}
