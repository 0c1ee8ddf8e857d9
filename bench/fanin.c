/* fanin.c - so many producers send to one consumer, an equal share of the messages each. With more
 * producers than processors the throughput must not fall. */
#include "bench/flood.h"

int main(int argc, char **argv) {
  struct flood flood = {0};
  struct bench_param params[] = {
      {.name = "producers", .least = 1, .most = FLOOD_PRODUCERS_MAX, .value = &flood.producers},
      {.name = "messages", .least = 1, .most = UINT32_MAX, .value = &flood.messages},
      {.name = "payload", .least = 0, .most = FLOOD_PAYLOAD_MAX, .value = &flood.payload}};
  BENCH_OPEN(argc, argv, params);
  flood_answer(&flood);
  return 0;
}
