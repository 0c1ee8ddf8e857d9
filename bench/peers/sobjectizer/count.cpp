// Savina's count over SObjectizer: a producer sends so many messages to a counter and then asks it
// for the result; both are active objects.
#include <array>

#include <so_5/all.hpp>

#include "bench/peers/peer.h"

constexpr std::size_t payload_bytes = 48;

struct increment {
  std::array<std::uint8_t, payload_bytes> payload;
};

struct result {
  std::uint64_t count;
};

struct retrieve {
  so_5::mbox_t reply_to;
};

class counter final : public so_5::agent_t {
 public:
  using so_5::agent_t::agent_t;

  void so_define_agent() override {
    so_subscribe_self()
        .event([this](mhood_t<increment>) { ++m_count; })
        .event([this](mhood_t<retrieve> cmd) { so_5::send<result>(cmd->reply_to, m_count); });
  }

 private:
  std::uint64_t m_count = 0;
};

class producer final : public so_5::agent_t {
 public:
  producer(context_t ctx, so_5::mbox_t counter, std::uint64_t messages, std::uint64_t &took_ns)
      : so_5::agent_t{std::move(ctx)},
        m_counter{std::move(counter)},
        m_messages{messages},
        m_took_ns{took_ns} {}

  void so_define_agent() override { so_subscribe_self().event(&producer::evt_result); }

  void so_evt_start() override {
    m_began_ns = peer_now_ns();
    for (std::uint64_t i = 0; i < m_messages; ++i) so_5::send<increment>(m_counter);
    so_5::send<retrieve>(m_counter, so_direct_mbox());
  }

 private:
  const so_5::mbox_t m_counter;
  const std::uint64_t m_messages;
  std::uint64_t &m_took_ns;
  std::uint64_t m_began_ns = 0;

  void evt_result(mhood_t<result> cmd) {
    m_took_ns = peer_now_ns() - m_began_ns;
    peer_expect("messages counted", cmd->count, m_messages);
    so_environment().stop();
  }
};

static std::uint64_t run(std::uint64_t messages) {
  std::uint64_t took_ns = 0;
  so_5::launch([&](so_5::environment_t &env) {
    env.introduce_coop(so_5::disp::active_obj::make_dispatcher(env).binder(),
                       [&](so_5::coop_t &coop) {
                         auto *count = coop.make_agent<counter>();
                         coop.make_agent<producer>(count->so_direct_mbox(), messages, took_ns);
                       });
  });
  return took_ns;
}

int main(int argc, char **argv) {
  peer_param params[] = {{"messages", 5000000, UINT32_MAX}, {"payload", payload_bytes, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  peer_fixed("payload", params[1].value, payload_bytes);
  const auto messages = params[0].value;
  run(peer_warm(messages));
  peer_tell_rate("messages", "msg/s", messages, run(messages));
}
