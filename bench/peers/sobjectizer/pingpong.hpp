// Savina's pingpong, for agents that share a thread and for agents with a thread each: ping sends a
// ball, pong answers with it.
#pragma once

#include <cstdint>

#include <so_5/all.hpp>

#include "bench/peers/peer.h"

struct ball {
  std::uint64_t number;
};

class pong final : public so_5::agent_t {
 public:
  using so_5::agent_t::agent_t;

  void set_ping(so_5::mbox_t ping) { m_ping = std::move(ping); }

  void so_define_agent() override {
    so_subscribe_self().event([this](mhood_t<ball> cmd) { so_5::send<ball>(m_ping, cmd->number); });
  }

 private:
  so_5::mbox_t m_ping;
};

struct game {
  std::uint64_t rounds, limit_ns, took_ns;
};

// Stops the environment when the game is over; its rounds are then those that were played.
class ping final : public so_5::agent_t {
 public:
  ping(context_t ctx, so_5::mbox_t pong, game &result)
      : so_5::agent_t{std::move(ctx)}, m_pong{std::move(pong)}, m_game{result} {}

  void so_define_agent() override { so_subscribe_self().event(&ping::evt_ball); }

  void so_evt_start() override {
    m_began_ns = peer_now_ns();
    serve();
  }

 private:
  const so_5::mbox_t m_pong;
  game &m_game;
  std::uint64_t m_began_ns = 0, m_done = 0;

  void serve() { so_5::send<ball>(m_pong, m_done); }

  void evt_ball(mhood_t<ball> cmd) {
    peer_expect("the ball that came back", cmd->number, m_done);
    ++m_done;
    if (m_done < m_game.rounds && !peer_over(m_done, m_began_ns + m_game.limit_ns)) {
      serve();
      return;
    }
    m_game.took_ns = peer_now_ns() - m_began_ns;
    m_game.rounds = m_done;
    so_environment().stop();
  }
};

// Plays on the dispatcher whose binder make_binder(env) returns.
template <class Make_Binder>
game play(std::uint64_t rounds, std::uint64_t limit_ns, Make_Binder make_binder) {
  game result{rounds, limit_ns, 0};
  so_5::launch([&](so_5::environment_t &env) {
    env.introduce_coop(make_binder(env), [&](so_5::coop_t &coop) {
      auto *ponger = coop.make_agent<pong>();
      auto *pinger = coop.make_agent<ping>(ponger->so_direct_mbox(), result);
      ponger->set_ping(pinger->so_direct_mbox());
    });
  });
  return result;
}
