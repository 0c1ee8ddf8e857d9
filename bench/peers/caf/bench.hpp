// What the CAF programs share beside peer.h: the payload and the atoms.
#pragma once

#include <array>
#include <cstdint>

#include <caf/all.hpp>

#include "bench/peers/peer.h"

constexpr size_t payload_bytes = 48;

// Never leaves the process, so it needs no serialization.
struct payload {
  std::array<std::uint8_t, payload_bytes> bytes;
};

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(payload)

using start_atom = caf::atom_constant<caf::atom("start")>;
using result_atom = caf::atom_constant<caf::atom("result")>;
using done_atom = caf::atom_constant<caf::atom("done")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using ping_atom = caf::atom_constant<caf::atom("ping")>;
using pong_atom = caf::atom_constant<caf::atom("pong")>;

// Sends a request from outside the system and waits for its result.
template <class... Ts>
std::uint64_t ask_from_outside(caf::actor_system &system, const caf::actor &whom, Ts... what) {
  caf::scoped_actor self{system};
  std::uint64_t result = 0;
  self->request(whom, caf::infinite, what...)
      .receive([&](std::uint64_t value) { result = value; },
               [&](caf::error &err) { peer_fail("%s", system.render(err).c_str()); });
  return result;
}
