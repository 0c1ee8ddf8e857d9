#include "bench/harness_questions.h"

#include <stdio.h>
#include <string.h>

#define MORE .more_is_better = true
#define RATIO(x) .promise = {HARNESS_PROMISE_RATIO, (x), NULL}
#define LIMIT(x) .promise = {HARNESS_PROMISE_LIMIT, (x), NULL}
#define BEYOND(x) .promise = {HARNESS_PROMISE_BEYOND, (x), NULL}
#define KEEPS(share, question) .promise = {HARNESS_PROMISE_KEEPS, (share), question}

/* Savina is the benchmark suite of Imam and Sarkar (AGERE 2014), whose definitions are used where
 * it has one. Times are microseconds unless the unit says otherwise. */
static const struct harness_question questions[] = {
    {.name = "count",
     .params = "messages=5000000 payload=48",
     .sentence = "Savina count: one producer, one counter",
     .metrics = {{"messages", "msg/s", MORE, RATIO(5),
                  .sentence = "the sends of a turn leave together"},
                 {"one_by_one", "msg/s", MORE, RATIO(1.3), .against = "messages",
                  .sentence = "every send claims its slot alone"}}},
    {.name = "fanin",
     .params = "producers=4 messages=4000000 payload=48",
     .sentence = "four producers, one consumer",
     .metrics = {{"messages", "msg/s", MORE, RATIO(4),
                  .sentence = "the sends of a turn leave together"},
                 {"one_by_one", "msg/s", MORE, RATIO(1.3), .against = "messages",
                  .sentence = "every send claims its slot alone"}}},
    {.name = "fanin_16",
     .program = "fanin",
     .params = "producers=16 messages=4000000 payload=48",
     .sentence = "sixteen producers, one consumer",
     .metrics = {{"messages", "msg/s", MORE, KEEPS(0.9, "fanin"),
                  .sentence = "the sends of a turn leave together"},
                 {"one_by_one", "msg/s", MORE, KEEPS(0.9, "fanin"), .against = "messages",
                  .sentence = "every send claims its slot alone"}}},
    {.name = "fanin_64",
     .program = "fanin",
     .params = "producers=64 messages=4000000 payload=48",
     .sentence = "sixty-four producers, one consumer",
     .metrics = {{"messages", "msg/s", MORE, KEEPS(0.9, "fanin"),
                  .sentence = "the sends of a turn leave together"},
                 {"one_by_one", "msg/s", MORE, KEEPS(0.9, "fanin"), .against = "messages",
                  .sentence = "every send claims its slot alone"}}},
    {.name = "fjthrput",
     .params = "actors=60 messages=20000",
     .sentence = "Savina fork-join throughput: one sender, sixty actors in turn",
     .metrics = {{"messages", "msg/s", MORE, .sentence = "messages handled by all of them"}}},
    {.name = "fanout",
     .params = "subscribers=8 messages=500000",
     .sentence = "one publisher through the event engine to eight subscribers",
     .metrics = {{"deliveries", "msg/s", MORE, .sentence = "messages handled by all subscribers"}}},
    {.name = "pingpong",
     .params = "rounds=1000000",
     .sentence = "Savina ping-pong, on the pool or the peer's usual scheduler",
     .metrics = {{"round_trip", "us", LIMIT(0.05), .sentence = "there and back"}}},
    {.name = "pingpong_threads",
     .params = "rounds=200000",
     .sentence = "ping-pong between two actors, each on a thread of its own",
     .metrics = {{"spinning", "us", LIMIT(0.6), .sentence = "the waiting side looks a while"},
                 {"parked", "us", LIMIT(10), .sentence = "the waiting side sleeps at once"}}},
    {.name = "ring",
     .params = "actors=100 hops=5000000",
     .sentence = "Savina threadring: one token, a hundred actors",
     .metrics = {{"hops", "hops/s", MORE, RATIO(5), .sentence = "passes of the token"}}},
    {.name = "fjcreate",
     .params = "actors=200000",
     .sentence = "Savina fork-join create: spawn, one message, exit",
     .metrics = {{"actors", "actors/s", MORE, RATIO(4), .sentence = "whole lives"}}},
    {.name = "alive",
     .params = "actors=1000000",
     .sentence = "a million actors that have had a message and wait for the next",
     .timeout_s = 120,
     .metrics = {{"bytes", "B", LIMIT(1024), .sentence = "resident memory for each"}}},
    {.name = "big",
     .params = "actors=120 pings=2000",
     .sentence = "Savina big: everyone pings everyone, one ping at a time each",
     .metrics = {{"messages", "msg/s", MORE, .sentence = "pings and pongs"}}},
    {.name = "ask",
     .params = "rounds=500000",
     .sentence = "a question with a deadline, and its answer",
     .metrics = {{"round_trip", "us", .sentence = "from asking to having the answer"}}},
    {.name = "mailbox",
     .params = "messages=8000000",
     .sentence = "a bare mailbox, both sides polling",
     .metrics = {{"one_by_one", "msg/s", MORE, .sentence = "one sender"},
                 {"claims_of_16", "msg/s", MORE, .sentence = "one sender, 16 slots in one claim"},
                 {"four_to_one", "msg/s", MORE, .sentence = "four senders"},
                 {"four_to_one_of_16", "msg/s", MORE, .sentence = "four senders, 16 in a claim"},
                 {"evicting", "msg/s", MORE, LIMIT(8e6), .sentence = "four senders, drop oldest"}}},
    {.name = "door",
     .params = "singles=50000 coalesced=1000000",
     .sentence = "a stranger's nng push socket to an actor's turn",
     .metrics = {{"single", "us", LIMIT(3), .sentence = "a message, alone in its nng message"},
                 {"blocking", "us", .against = "single", .system = "nng",
                  .sentence = "a blocking nng receive"},
                 {"coalesced_64", "msg/s", MORE, .sentence = "64 in one nng message"},
                 {"coalesced_1024", "msg/s", MORE, LIMIT(10e6),
                  .sentence = "1,024 in one nng message"}}},
    {.name = "latency",
     .params = "rate=100000 seconds=2",
     .sentence = "a message each 10 us, sent when due whatever the receiver does",
     .metrics = {{"p50", "us", .sentence = "from when it was due to the handler's turn"},
                 {"p99", "us", .sentence = "the 99th percentile"},
                 {"p999", "us", .sentence = "the 99.9th percentile"}}},
    {.name = "tick_path",
     .params = "frames=204800 paced=4000 rate=10000",
     .sentence = "from a WebSocket frame through parser and engine to a handler's turn",
     .metrics = {{"frames", "frames/s", MORE, LIMIT(1e6), .sentence = "sustained"},
                 {"bare_frames", "frames/s", MORE, .against = "frames", .system = "libwebsockets",
                  .sentence = "sustained, a bare libwebsockets client"},
                 {"arrived", "%", MORE, .sentence = "of those frames, what reached the handler"},
                 {"p50", "us", BEYOND(20), .sentence = "from write to turn, at 10,000 a second"},
                 {"bare_p50", "us", .against = "p50", .system = "libwebsockets",
                  .sentence = "from write to a bare client's callback"},
                 {"p99", "us", BEYOND(100), .sentence = "the 99th percentile"},
                 {"bare_p99", "us", .against = "p99", .system = "libwebsockets",
                  .sentence = "the 99th percentile, bare"}}},
    {.name = "stop",
     .params = "actors=1000",
     .sentence = "a thousand idle actors asked to stop, until all are gone",
     .metrics = {{"gone", "ms", LIMIT(50), .sentence = "from the order to the last one's end"},
                 {"gone_doors", "ms", LIMIT(300), .sentence = "with an nng door each"}}},
    {.name = "deadline",
     .params = "actors=1000 stuck=3 stops=40",
     .sentence = "a turn that never returns: how long after the hard deadline the system is left",
     .metrics = {{"late_p50", "ms", LIMIT(10), .sentence = "one actor, and it is stuck"},
                 {"late_p99", "ms", .sentence = "the 99th percentile"},
                 {"late_in_crowd", "ms", LIMIT(10), .sentence = "three stuck of a thousand"}}},
    {.name = "stall",
     .params = "stalls=40 limit_ms=100",
     .sentence = "from a turn's limit to ACTOR_STALLED, stack and all, at a subscriber",
     .metrics = {{"told_p50", "ms", LIMIT(50), .sentence = "a look each 25 ms, two of them"},
                 {"told_p99", "ms", .sentence = "the 99th percentile"}}},
    {.name = "restart",
     .params = "crashes=200",
     .sentence = "from a crash to the first message that the new incarnation handles",
     .metrics = {{"error_p50", "us", LIMIT(100), .sentence = "the handler returned an error"},
                 {"error_p99", "us", .sentence = "the 99th percentile"},
                 {"panic_p50", "us", LIMIT(100), .sentence = "a panic, its stack captured"},
                 {"panic_p99", "us", .sentence = "the 99th percentile"}}},
    {.name = "restart_process",
     .params = "deaths=100",
     .sentence = "the same of an actor in a process of its own",
     .metrics = {{"kill_p50", "ms", LIMIT(20), .sentence = "it was killed"},
                 {"kill_p99", "ms", .sentence = "the 99th percentile"},
                 {"error_p50", "ms", LIMIT(20), .sentence = "the handler returned an error"},
                 {"error_p99", "ms", .sentence = "the 99th percentile"}}},
    {.name = "lifecycle",
     .params = "rate=100000 slice_ms=2500",
     .sentence = "what supervisor, monitor and engine cost, on against off",
     .metrics = {{"idle", "%", LIMIT(0.1), .sentence = "of one core, nothing to do"},
                 {"busy", "%", LIMIT(1), .sentence = "of one core, at 100,000 messages a second"}}},
};

enum { QUESTIONS = sizeof questions / sizeof *questions };

static const struct harness_peer packages[] = {
    {"troupe", "libnng1"},      {"troupe", "libwebsockets17"},
    {"troupe", "libmsgpackc2"}, {"troupe", "libc6"},
    {"troupe", "gcc"},          {"go", "golang-go"},
    {"erlang", "erlang-base"},  {"caf", "libcaf-dev"},
    {"czmq", "libczmq-dev"},    {"nng", "libnng-dev"},
    {"mutex", "gcc"},
};

const struct harness_question *harness_question_at(size_t i) {
  return i < QUESTIONS ? &questions[i] : NULL;
}

const struct harness_question *harness_question_named(const char *name) {
  for (size_t i = 0; i < QUESTIONS; i++) {
    if (strcmp(questions[i].name, name) == 0) return &questions[i];
  }
  return NULL;
}

size_t harness_metric_count(const struct harness_question *question) {
  size_t count = 0;
  while (count < HARNESS_METRICS_MAX && question->metrics[count].name != NULL) count++;
  return count;
}

const struct harness_metric *harness_metric_named(const struct harness_question *question,
                                                  const char *name) {
  for (size_t i = 0; i < harness_metric_count(question); i++) {
    if (strcmp(question->metrics[i].name, name) == 0) return &question->metrics[i];
  }
  return NULL;
}

const char *harness_metric_against(const struct harness_metric *metric) {
  return metric->against != NULL ? metric->against : metric->name;
}

const char *harness_question_program(const struct harness_question *question) {
  return question->program != NULL ? question->program : question->name;
}

/* The "key=value" of that key in a list; NULL where there is none. */
static const char *find_param(const char *list, const char *key, size_t key_length) {
  for (const char *at = list; *at != '\0'; at += strcspn(at, " ")) {
    at += strspn(at, " ");
    if (strncmp(at, key, key_length) == 0 && at[key_length] == '=') return at;
  }
  return NULL;
}

bool harness_question_args(const struct harness_question *question, const char *changes, char *out,
                           size_t size) {
  size_t used = 0;
  out[0] = '\0';
  for (const char *at = question->params; *at != '\0';) {
    const char *changed = find_param(changes, at, strcspn(at, "="));
    const char *from = changed != NULL ? changed : at;
    int n = snprintf(out + used, size - used, "%s%.*s", used > 0 ? " " : "",
                     (int)strcspn(from, " "), from);
    if (n < 0 || (size_t)n >= size - used) return false;
    used += (size_t)n;
    at += strcspn(at, " ");
    at += strspn(at, " ");
  }
  return true;
}

struct harness_peer harness_package_at(size_t i) {
  return i < sizeof packages / sizeof *packages ? packages[i] : (struct harness_peer){NULL, NULL};
}
