// A request with its reply, CAF's own way: request and await.
#include "bench/peers/caf/bench.hpp"

using namespace caf;

behavior server() {
  return {
      [](uint64_t n) { return n + 1; },
  };
}

void ask(event_based_actor *self, actor server, uint64_t left, response_promise answer) {
  if (left == 0) {
    answer.deliver(left);
    return;
  }
  self->request(server, infinite, left).await([=](uint64_t value) {
    peer_expect("the answer", value, left + 1);
    ask(self, server, left - 1, answer);
  });
}

behavior client(event_based_actor *self, actor server) {
  return {
      [=](start_atom, uint64_t rounds) {
        auto answer = self->make_response_promise();
        ask(self, server, rounds, answer);
        return answer;
      },
  };
}

uint64_t run(actor_system &system, uint64_t rounds) {
  auto asker = system.spawn(client, system.spawn(server));
  auto began = peer_now_ns();
  auto left = ask_from_outside(system, asker, start_atom::value, rounds);
  auto took = peer_now_ns() - began;
  peer_expect("rounds left", left, 0);
  return took;
}

int main(int argc, char **argv) {
  peer_param params[] = {{"rounds", 500000, UINT32_MAX}};
  peer_open(argc, argv, params, 1);
  actor_system_config config;
  actor_system system{config};
  auto rounds = params[0].value;
  run(system, peer_warm(rounds));
  peer_tell_round("round_trip", rounds, run(system, rounds));
}
