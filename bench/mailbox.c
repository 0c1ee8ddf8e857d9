/* mailbox.c - how many messages of 48 bytes a bare mailbox passes from threads to its owner.
 *
 * One sender one by one, one sender with claims of 16, four senders both ways, and four senders
 * into an evicting mailbox (where what counts is what was accepted, taken out or displaced). Both
 * sides poll: this measures the mailbox, not the sleep. */
#include <pthread.h>

#include "bench/bench.h"
#include "runtime/mailbox.h"

enum { SENDERS_MAX = 4, BATCH_MAX = 16, POLLS_BEFORE_YIELD = 256 };

static uint64_t messages; /* of a run; a multiple of what the senders send at once */

struct question {
  const char *metric;
  enum trp_policy policy;
  uint32_t senders;
  uint32_t batch;
};

struct run {
  const struct question *question;
  struct trp_mailbox mailbox;
  pthread_barrier_t start;
};

struct sender {
  struct run *run;
  pthread_t thread;
  uint64_t began_ns; /* its own; the owner may come late where there are few processors */
};

static void *send_all(void *arg) {
  struct sender *sender = arg;
  struct run *run = sender->run;
  struct trp_mailbox *mailbox = &run->mailbox;
  struct trp_letter letters[BATCH_MAX];
  memset(letters, 0, sizeof letters);
  for (uint32_t i = 0; i < BATCH_MAX; i++) {
    letters[i].type = TRP_QUOTE;
    letters[i].inline_bytes = TRP_INLINE_BYTES;
  }
  uint32_t batch = run->question->batch;
  uint64_t left = messages / run->question->senders;
  uint32_t refused = 0;
  struct trp_put result;
  pthread_barrier_wait(&run->start);
  sender->began_ns = bench_now_ns();
  while (left > 0) {
    if (mailbox->ops->put(mailbox, 1, false, letters, batch, &result) == TRP_OK) {
      left -= batch;
      refused = 0;
    } else if (++refused % POLLS_BEFORE_YIELD == 0) {
      sched_yield();
    }
  }
  return NULL;
}

/* Takes everything out until all senders' mail has been accepted and nothing waits. */
static void receive_all(struct trp_mailbox *mailbox) {
  struct trp_mailbox_totals totals = {0};
  uint32_t empty = 0;
  for (;;) {
    if (mailbox->ops->peek(mailbox) != NULL) {
      mailbox->ops->pop(mailbox);
      empty = 0;
    } else if (++empty % POLLS_BEFORE_YIELD == 0) {
      trp_mailbox_totals(mailbox, &totals);
      if (totals.accepted == messages && mailbox->ops->depth(mailbox) == 0) return;
      sched_yield();
    }
  }
}

static double run_once(const struct question *question) {
  struct run run = {.question = question};
  struct trp_mailbox_options options = {.capacity = 4096, .policy = question->policy};
  if (trp_mailbox_init(&run.mailbox, &options) != TRP_OK) abort();
  run.mailbox.ops->open(&run.mailbox, 1);
  pthread_barrier_init(&run.start, NULL, question->senders + 1);
  struct sender senders[SENDERS_MAX];
  for (uint32_t i = 0; i < question->senders; i++) {
    senders[i] = (struct sender){.run = &run};
    if (pthread_create(&senders[i].thread, NULL, send_all, &senders[i]) != 0) abort();
  }

  pthread_barrier_wait(&run.start);
  receive_all(&run.mailbox);
  uint64_t ended_ns = bench_now_ns(), began_ns = ended_ns;

  for (uint32_t i = 0; i < question->senders; i++) {
    pthread_join(senders[i].thread, NULL);
    if (senders[i].began_ns < began_ns) began_ns = senders[i].began_ns;
  }
  pthread_barrier_destroy(&run.start);
  run.mailbox.ops->close(&run.mailbox);
  run.mailbox.ops->fini(&run.mailbox);
  return bench_rate(messages, ended_ns - began_ns);
}

int main(int argc, char **argv) {
  static const struct question questions[] = {
      {"one_by_one", TRP_REJECT, 1, 1},    {"claims_of_16", TRP_REJECT, 1, 16},
      {"four_to_one", TRP_REJECT, 4, 1},   {"four_to_one_of_16", TRP_REJECT, 4, 16},
      {"evicting", TRP_DROP_OLDEST, 4, 1},
  };
  uint64_t asked = 0;
  struct bench_param params[] = {
      {.name = "messages", .least = 1, .most = UINT32_MAX, .value = &asked}};
  BENCH_OPEN(argc, argv, params);
  uint64_t unit = SENDERS_MAX * BATCH_MAX;
  for (size_t q = 0; q < sizeof questions / sizeof *questions; q++) {
    messages = (bench_warm(asked) + unit - 1) / unit * unit;
    run_once(&questions[q]);
    messages = (asked + unit - 1) / unit * unit;
    bench_say(questions[q].metric, "msg/s", run_once(&questions[q]));
  }
  return 0;
}
