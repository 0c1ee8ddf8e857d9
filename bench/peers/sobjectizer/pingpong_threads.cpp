// Savina's pingpong between two active objects, which have a thread each: once with the default
// lock of their queues, which spins for a while before it sleeps, and once with the simple one,
// which sleeps at once.
#include "bench/peers/sobjectizer/pingpong.hpp"

namespace active = so_5::disp::active_obj;

static void measure(const char *metric, std::uint64_t rounds,
                    active::queue_traits::lock_factory_t factory) {
  auto binder = [&](so_5::environment_t &env) {
    active::disp_params_t params;
    params.tune_queue_params(
        [&](active::queue_traits::queue_params_t &queue) { queue.lock_factory(factory); });
    return active::make_dispatcher(env, "pingpong", params).binder();
  };
  play(peer_warm(rounds), PEER_WARM_NS, binder);
  const auto result = play(rounds, PEER_RUN_NS, binder);
  peer_tell_round(metric, result.rounds, result.took_ns);
}

int main(int argc, char **argv) {
  peer_param params[] = {{"rounds", 200000, UINT32_MAX}};
  peer_open(argc, argv, params, 1);
  measure("spinning", params[0].value, active::queue_traits::combined_lock_factory());
  measure("parked", params[0].value, active::queue_traits::simple_lock_factory());
}
