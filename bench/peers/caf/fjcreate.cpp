// Savina's fork-join creation: so many actors are spawned, get one message, do a little arithmetic,
// and end.
#include <atomic>

#include "bench/peers/caf/bench.hpp"

using namespace caf;

std::atomic<uint64_t> ended{0};

behavior worker(event_based_actor *self) {
  return {
      [=](double theta) {
        peer_work(theta);
        ++ended;
        self->quit();
      },
  };
}

uint64_t run(actor_system &system, uint64_t actors) {
  ended = 0;
  auto began = peer_now_ns();
  for (uint64_t i = 0; i < actors; ++i) anon_send(system.spawn(worker), PEER_THETA);
  system.await_all_actors_done();
  auto took = peer_now_ns() - began;
  peer_expect("actors", ended, actors);
  return took;
}

int main(int argc, char **argv) {
  peer_param params[] = {{"actors", 200000, UINT32_MAX}};
  peer_open(argc, argv, params, 1);
  actor_system_config config;
  actor_system system{config};
  auto actors = params[0].value;
  run(system, peer_warm(actors));
  peer_tell_rate("actors", "actors/s", actors, run(system, actors));
}
