// Savina's pingpong, for actors on the pool and for actors with a thread each: ping sends a ball,
// pong answers with it.
#pragma once

#include "bench/peers/caf/bench.hpp"

inline caf::behavior pong() {
  return {
      [](ping_atom, std::uint64_t ball) { return std::make_tuple(pong_atom::value, ball); },
  };
}

struct ping_state {
  std::uint64_t ball = 0, deadline_ns = 0;
  caf::response_promise answer;
};

// Asked to start, it answers with the rounds that are left.
inline caf::behavior ping(caf::stateful_actor<ping_state> *self, caf::actor pong) {
  return {
      [=](start_atom, std::uint64_t rounds, std::uint64_t limit_ns) {
        self->state.ball = rounds;
        self->state.deadline_ns = peer_now_ns() + limit_ns;
        self->state.answer = self->make_response_promise();
        self->send(pong, ping_atom::value, rounds);
        return self->state.answer;
      },
      [=](pong_atom, std::uint64_t ball) {
        peer_expect("the ball that came back", ball, self->state.ball);
        self->state.ball = --ball;
        if (ball == 0 || peer_over(ball, self->state.deadline_ns)) {
          self->state.answer.deliver(ball);
        } else {
          self->send(pong, ping_atom::value, ball);
        }
      },
  };
}

// Plays with the two, and returns what it took; the rounds become those that were played.
inline std::uint64_t play(caf::actor_system &system, const caf::actor &pinger,
                          std::uint64_t &rounds, std::uint64_t limit_ns) {
  auto began = peer_now_ns();
  rounds -= ask_from_outside(system, pinger, start_atom::value, rounds, limit_ns);
  return peer_now_ns() - began;
}
