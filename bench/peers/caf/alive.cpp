// The memory of an idle actor: so many event-based actors, each of which has handled one message
// and waits for the next.
#include <atomic>
#include <fstream>
#include <thread>

#include "bench/peers/caf/bench.hpp"

using namespace caf;

std::atomic<uint64_t> heard{0};

behavior idle() {
  return {
      [](uint64_t) { ++heard; },
  };
}

uint64_t resident_bytes() {
  uint64_t size = 0, resident = 0;
  if (!(std::ifstream{"/proc/self/statm"} >> size >> resident)) peer_fail("no /proc/self/statm");
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

int main(int argc, char **argv) {
  peer_param params[] = {{"actors", 1000000, 10000000}};
  peer_open(argc, argv, params, 1);
  actor_system_config config;
  actor_system system{config};
  auto actors = params[0].value;
  auto before = resident_bytes();
  std::vector<actor> all;
  all.reserve(actors);
  for (uint64_t i = 0; i < actors; ++i) {
    all.push_back(system.spawn(idle));
    anon_send(all.back(), i);
  }
  while (heard < actors) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  auto bytes = static_cast<double>(resident_bytes() - before) / static_cast<double>(actors);
  peer_tell("bytes", "B", bytes);
}
