// Savina's pingpong between two detached actors, which have a thread each and park when they have
// no mail.
#include "bench/peers/caf/pingpong.hpp"

using namespace caf;

int main(int argc, char **argv) {
  peer_param params[] = {{"rounds", 200000, UINT32_MAX}};
  peer_open(argc, argv, params, 1);
  actor_system_config config;
  actor_system system{config};
  auto ponger = system.spawn<detached>(pong);
  auto pinger = system.spawn<detached>(ping, ponger);
  auto rounds = params[0].value, warm = peer_warm(rounds);
  play(system, pinger, warm, PEER_WARM_NS);
  auto took = play(system, pinger, rounds, PEER_RUN_NS);
  peer_tell_round("parked", rounds, took);
}
