#include "runtime/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/deadline.h"

enum { WORDS_MAX = 512, NS_PER_US = 1000 };
static const uint64_t ACCOUNT_NS = 2 * TRP_NS_PER_S; /* after the stop's deadline */
static const uint64_t WORD_NS = TRP_NS_PER_S;        /* between two words of a long stop */

/* ---- opening ---- */

static void complain(struct trp_system *system, const char *event, const char *value,
                     const char *why) {
  trp_system_log(system, "system", TRP_LOG_WARN, event, "value=\"%s\" error=\"%s\"", value, why);
}

/* WATCHDOG_USEC holds for the process that WATCHDOG_PID names. */
static uint64_t read_watchdog(struct trp_system *system) {
  const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
  char *end;
  if (usec == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid())) return 0;
  errno = 0;
  unsigned long long us = strtoull(usec, &end, 10);
  if (usec[0] < '0' || usec[0] > '9' || *end != '\0' || errno != 0 || us == 0 ||
      us > UINT64_MAX / NS_PER_US) {
    complain(system, "service.no_watchdog", usec, "WATCHDOG_USEC is no number of microseconds");
    return 0;
  }
  return us * NS_PER_US / 2;
}

void trp_service_open(struct trp_service *service, struct trp_system *system) {
  *service = (struct trp_service){.system = system, .socket.fd = -1};
  const char *path = getenv("NOTIFY_SOCKET");
  if (path == NULL || path[0] == '\0') return;
  enum trp_err err = trp_service_socket_open(&service->socket, path);
  if (err == TRP_OK) err = trp_pulse_init(&service->pulse, system);
  if (err != TRP_OK) {
    complain(system, "service.no_socket", path, trp_err_text(err));
    trp_service_socket_close(&service->socket);
    return;
  }
  service->watchdog_ns = read_watchdog(system);
}

/* ---- telling ---- */

__attribute__((format(printf, 2, 3))) static void tell(struct trp_service *service,
                                                       const char *format, ...) {
  char words[WORDS_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(words, sizeof words, format, args);
  va_end(args);
  enum trp_err err = trp_service_socket_send(&service->socket, words);
  if (err == TRP_OK) return;
  words[strcspn(words, "\n")] = '\0';
  complain(service->system, "service.not_told", words,
           err == TRP_SYSTEM ? strerror(errno) : trp_err_text(err));
}

static void tell_running(struct trp_service *service) {
  tell(service, "STATUS=running, %zu actors", trp_system_actor_count(service->system));
}

/* Who has not ended yet. */
static size_t open_actors(struct trp_service *service, const char **first) {
  size_t open = 0;
  for (uint32_t i = 0; i < service->pulse.count; i++) {
    struct trp_actor *a = trp_slots_at(&service->system->slots, i);
    if (trp_actor_state(a) == TRP_ACTOR_GONE) continue;
    if (open++ == 0) *first = a->name;
  }
  return open;
}

static void tell_stopping(struct trp_service *service, const char *before) {
  const char *first = "";
  size_t open = open_actors(service, &first);
  uint64_t left_us = trp_deadline_left_ns(service->stop_until_ns) / NS_PER_US;
  tell(service, "%sEXTEND_TIMEOUT_USEC=%llu\nSTATUS=stopping, %zu actors are open%s%s", before,
       (unsigned long long)left_us, open, open > 0 ? ", the first of them " : "", first);
  service->word_due_ns = trp_deadline_in(WORD_NS);
}

static void tell_stage(struct trp_service *service, enum trp_stage stage) {
  service->told = stage;
  if (stage == TRP_STAGE_STARTING) {
    tell(service, "STATUS=starting, %zu actors", trp_system_actor_count(service->system));
  } else if (stage == TRP_STAGE_RUNNING) {
    tell(service, "READY=1\nMAINPID=%d", (int)getpid());
    tell_running(service);
  } else if (stage == TRP_STAGE_STOPPING) {
    uint64_t budget_ns = service->system->options.budget_ms * TRP_NS_PER_MS;
    service->stop_until_ns = trp_deadline_in(budget_ns + ACCOUNT_NS);
    tell_stopping(service, "STOPPING=1\n");
  }
}

/* ---- the watchdog ---- */

static void ping(struct trp_service *service) {
  char why[160];
  bool beats = trp_pulse_beats(&service->pulse, why, sizeof why);
  if (service->told == TRP_STAGE_STOPPING && trp_deadline_left_ns(service->stop_until_ns) == 0) {
    beats = false; /* the coordinator is no actor, but this it would never let happen */
    snprintf(why, sizeof why, "the stop is past its deadline");
  }
  if (beats) tell(service, "WATCHDOG=1");
  if (beats && service->silent && service->told == TRP_STAGE_RUNNING) tell_running(service);
  if (!beats && !service->silent) {
    tell(service, "STATUS=no watchdog pings: %s", why);
    trp_system_log(service->system, "system", TRP_LOG_ERROR, "watchdog.silent", "reason=\"%s\"",
                   why);
  }
  service->silent = !beats;
  service->ping_due_ns = trp_deadline_in(service->watchdog_ns);
}

uint64_t trp_service_step(struct trp_service *service) {
  if (service->socket.fd < 0) return TRP_FOREVER;
  enum trp_stage stage = trp_system_stage(service->system);
  uint64_t next = TRP_FOREVER;
  if (stage != service->told) tell_stage(service, stage);
  if (stage == TRP_STAGE_STOPPING) {
    if (trp_deadline_left_ns(service->word_due_ns) == 0) tell_stopping(service, "");
    next = service->word_due_ns;
  }
  if (service->watchdog_ns > 0) {
    if (trp_deadline_left_ns(service->ping_due_ns) == 0) ping(service);
    if (service->ping_due_ns < next) next = service->ping_due_ns;
  }
  return next;
}

void trp_service_close(struct trp_service *service) {
  const struct trp_report *report = trp_system_report(service->system);
  if (service->socket.fd >= 0 && report != NULL) {
    tell(service, "STATUS=stopped: %s", trp_verdict_text(report->verdict));
  }
  trp_service_socket_close(&service->socket);
  trp_pulse_fini(&service->pulse);
}
