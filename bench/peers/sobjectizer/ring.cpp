// Savina's threadring over SObjectizer: agents in a ring, on the default dispatcher and so on one
// thread, pass on the number of hops that are left; who gets 0 stops them.
#include <vector>

#include <so_5/all.hpp>

#include "bench/peers/peer.h"

struct token {
  std::uint64_t left;
};

struct race {
  std::uint64_t hops, took_ns, began_ns;
};

class member final : public so_5::agent_t {
 public:
  member(context_t ctx, race &r) : so_5::agent_t{std::move(ctx)}, m_race{r} {}

  void set_next(so_5::mbox_t next) { m_next = std::move(next); }

  void so_define_agent() override { so_subscribe_self().event(&member::evt_token); }

 private:
  race &m_race;
  so_5::mbox_t m_next;

  void evt_token(mhood_t<token> cmd) {
    if (cmd->left == 0) {
      m_race.took_ns = peer_now_ns() - m_race.began_ns;
      so_environment().stop();
      return;
    }
    ++m_race.hops; // all of them share a thread
    so_5::send<token>(m_next, cmd->left - 1);
  }
};

static std::uint64_t run(std::uint64_t actors, std::uint64_t hops) {
  race r{};
  so_5::launch([&](so_5::environment_t &env) {
    so_5::mbox_t first;
    env.introduce_coop([&](so_5::coop_t &coop) {
      std::vector<member *> ring;
      for (std::uint64_t i = 0; i < actors; ++i) ring.push_back(coop.make_agent<member>(r));
      for (std::uint64_t i = 0; i < actors; ++i) {
        ring[i]->set_next(ring[(i + 1) % actors]->so_direct_mbox());
      }
      first = ring[0]->so_direct_mbox();
    });
    r.began_ns = peer_now_ns();
    so_5::send<token>(first, hops);
  });
  peer_expect("hops", r.hops, hops);
  return r.took_ns;
}

int main(int argc, char **argv) {
  peer_param params[] = {{"actors", 100, 100000}, {"hops", 5000000, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  const auto actors = params[0].value, hops = params[1].value;
  run(actors, peer_warm(hops));
  peer_tell_rate("hops", "hops/s", hops, run(actors, hops));
}
