#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adapters/cli/ctl.h"

enum {
  WAIT_MS = 1000,     /* that control holds one request */
  PATIENCE_MS = 2500, /* beyond that, for the answer */
  RETRY_MS = 200,
  SILENCE_MAX_MS = 30000 /* without a good answer, over which a watch hopes for control's return */
};

struct watching {
  const struct trp_ctl_watch *wish;
  uint64_t after;
  uint64_t shown;
  uint64_t end_ms;  /* 0: none */
  uint64_t good_ms; /* when the last good answer came */
};

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Every line has been flushed when it was whole. */
static void on_interrupt(int number) {
  (void)number;
  _exit(TRP_CTL_OK);
}

/* TIME EVENT ACTOR key=value ...; the time is the system's clock in seconds. */
static void print_event(const struct trp_value *event) {
  char name[64], actor[64];
  struct trp_value key, value;
  struct trp_walk walk;
  uint64_t at_ns = trp_value_find_u64(event, "at_ns", 0);
  trp_value_find_text(event, "event", name, sizeof name);
  trp_value_find_text(event, "actor", actor, sizeof actor);
  printf("%" PRIu64 ".%06" PRIu64 " %s %s", at_ns / 1000000000, at_ns % 1000000000 / 1000, name,
         actor[0] != '\0' ? actor : "-");
  trp_walk_init(&walk, event);
  while (trp_walk_pair(&walk, &key, &value)) {
    bool said = trp_value_is_text(&key, "event") || trp_value_is_text(&key, "at_ns") ||
                trp_value_is_text(&key, "actor");
    if (said) continue;
    printf(" %.*s=", (int)key.count, key.as.text);
    (void)!trp_value_json(&value, trp_json_to_file, stdout);
  }
  putchar('\n');
}

static bool is_enough(const struct watching *w) {
  if (w->wish->count > 0 && w->shown >= w->wish->count) return true;
  return w->end_ms != 0 && now_ms() >= w->end_ms;
}

static void show(struct watching *w, const struct trp_answer *answer, bool silent) {
  struct trp_value events, event;
  struct trp_walk walk;
  w->after = trp_value_find_u64(&answer->body, "after", w->after);
  if (silent || !trp_value_find(&answer->body, "events", &events)) return;
  trp_walk_init(&walk, &events);
  while (trp_walk_next(&walk, &event)) {
    if (w->wish->count > 0 && w->shown >= w->wish->count) return;
    if (w->wish->json) {
      (void)!trp_value_json(&event, trp_json_to_file, stdout);
      putchar('\n');
    } else {
      print_event(&event);
    }
    fflush(stdout);
    w->shown++;
  }
}

static enum trp_err ask(struct trp_control_client *client, struct watching *w, uint32_t wait_ms,
                        struct trp_answer *answer) {
  struct trp_request request = {
      .id = trp_control_client_id(), .after = w->after, .wait_ms = wait_ms, .verb = "watch"};
  return trp_control_client_ask(client, &request, wait_ms + PATIENCE_MS, answer);
}

/* Reads up to the journal's present end without showing it. */
static enum trp_err skip_old(struct trp_control_client *client, struct watching *w) {
  for (;;) {
    struct trp_answer answer;
    uint64_t before = w->after;
    enum trp_err err = ask(client, w, 0, &answer);
    if (err != TRP_OK || answer.status != TRP_OK) return err;
    show(w, &answer, true);
    if (w->after == before) return TRP_OK;
  }
}

static uint32_t next_wait(const struct watching *w) {
  uint64_t now = now_ms();
  if (w->end_ms == 0 || w->end_ms > now + WAIT_MS) return WAIT_MS;
  return w->end_ms > now ? (uint32_t)(w->end_ms - now) : 0;
}

/* Returns the exit status, or -1 to go on. */
static int watch_once(struct trp_control_client *client, struct watching *w) {
  struct trp_answer answer;
  enum trp_err err = ask(client, w, next_wait(w), &answer);
  if (err == TRP_CLOSED) {
    fputs("troupe ctl: the system has ended\n", stderr);
    return TRP_CTL_OK;
  }
  if (err == TRP_OK && (answer.status == TRP_OK || answer.status == TRP_STOPPED)) {
    w->good_ms = now_ms();
    show(w, &answer, false);
    if (answer.status == TRP_OK) return -1;
    fputs("troupe ctl: the system is stopping\n", stderr);
    return TRP_CTL_OK;
  }
  /* Control itself is down or coming back. */
  if (now_ms() - w->good_ms > SILENCE_MAX_MS) {
    fprintf(stderr, "troupe ctl: no good answer for %d s: %s\n", SILENCE_MAX_MS / 1000,
            err != TRP_OK ? trp_err_text(err) : answer.text);
    return TRP_CTL_FAILED;
  }
  nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
  return -1;
}

int trp_ctl_watch(struct trp_control_client *client, const struct trp_ctl_watch *wish) {
  struct watching w = {.wish = wish, .good_ms = now_ms()};
  struct sigaction action = {.sa_handler = on_interrupt}, before;
  int status = -1;
  if (wish->duration_ms != 0) w.end_ms = now_ms() + wish->duration_ms;
  sigaction(SIGINT, &action, &before);
  if (wish->only_new && skip_old(client, &w) == TRP_CLOSED) status = TRP_CTL_OK;
  while (status < 0 && !is_enough(&w)) status = watch_once(client, &w);
  sigaction(SIGINT, &before, NULL);
  return status < 0 ? TRP_CTL_OK : status;
}
