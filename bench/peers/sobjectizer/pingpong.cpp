// Savina's pingpong between two agents on SObjectizer's default dispatcher, where they share one
// thread.
#include "bench/peers/sobjectizer/pingpong.hpp"

int main(int argc, char **argv) {
  peer_param params[] = {{"rounds", 1000000, UINT32_MAX}};
  peer_open(argc, argv, params, 1);
  auto binder = [](so_5::environment_t &env) { return so_5::make_default_disp_binder(env); };
  play(peer_warm(params[0].value), PEER_WARM_NS, binder);
  const auto result = play(params[0].value, PEER_RUN_NS, binder);
  peer_tell_round("round_trip", result.rounds, result.took_ns);
}
