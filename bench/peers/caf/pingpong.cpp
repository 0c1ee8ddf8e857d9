// Savina's pingpong between two actors on the work-stealing scheduler.
#include "bench/peers/caf/pingpong.hpp"

using namespace caf;

int main(int argc, char **argv) {
  peer_param params[] = {{"rounds", 1000000, UINT32_MAX}};
  peer_open(argc, argv, params, 1);
  actor_system_config config;
  actor_system system{config};
  auto ponger = system.spawn(pong);
  auto pinger = system.spawn(ping, ponger);
  auto rounds = params[0].value, warm = peer_warm(rounds);
  play(system, pinger, warm, PEER_WARM_NS);
  auto took = play(system, pinger, rounds, PEER_RUN_NS);
  peer_tell_round("round_trip", rounds, took);
}
