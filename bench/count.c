/* count.c - Savina's count: a producer sends so many messages to a counter; the clock stops when
 * the counter has handled the last. Once with the sends of a turn leaving together, once one by
 * one. */
#include "bench/flood.h"

int main(int argc, char **argv) {
  struct flood flood = {.producers = 1};
  struct bench_param params[] = {
      {.name = "messages", .least = 1, .most = UINT32_MAX, .value = &flood.messages},
      {.name = "payload", .least = 0, .most = FLOOD_PAYLOAD_MAX, .value = &flood.payload}};
  BENCH_OPEN(argc, argv, params);
  flood_answer(&flood);
  return 0;
}
