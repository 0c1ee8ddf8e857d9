/* host_calls.c - what an actor in a process does instead of touching other actors: each call is a
 * frame to its slot, whose proxy does it in the slot's name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/blob.h"
#include "runtime/host_state.h"

enum trp_err trp_host_frame(struct trp_host *host, const struct trp_frame_head *head,
                            const void *body, bool must) {
  enum trp_err err = trp_link_send(host->link, head, body, must);
  /* An actor knows a full outbox; whether the link is gone it will learn in another way. */
  return err == TRP_FULL ? TRP_OUTBOX_FULL : err == TRP_CLOSED ? TRP_DEAD : err;
}

struct trp_ref trp_host_self(struct trp_host *host) {
  return host->page->self;
}

struct trp_actor *trp_host_block(struct trp_host *host) {
  return &host->page->actor;
}

struct trp_actor *trp_host_find(struct trp_host *host, struct trp_ref ref) {
  return trp_ref_index(ref) == trp_ref_index(host->page->self) ? &host->page->actor : NULL;
}

struct trp_ref trp_host_whereis(struct trp_host *host, const char *name) {
  uint32_t index;
  if (!trp_directory_find(host->directory, name, &index)) return TRP_NOBODY;
  return trp_directory_at(host->directory, index);
}

/* Only those that were added are listed; of a spawned one the slot's side knows. */
static bool may_live(struct trp_host *host, struct trp_ref ref) {
  if (trp_ref_is_nobody(ref)) return false;
  if (trp_ref_index(ref) >= trp_directory_count(host->directory)) return true;
  return trp_ref_equal(trp_directory_at(host->directory, trp_ref_index(ref)), ref);
}

/* ---- mail ---- */

static enum trp_err check_body(uint16_t type, const void *body, size_t bytes) {
  if (type == TRP_NONE || (bytes > 0 && body == NULL)) return TRP_INVALID;
  return bytes > TRP_BODY_MAX ? TRP_TOO_BIG : TRP_OK;
}

uint32_t trp_host_depth(struct trp_host *host) {
  uint32_t depth = trp_link_depth(host->link);
  return depth > host->page->outbox_max / 2 ? depth : 0;
}

static bool has_room(struct trp_host *host) {
  return trp_link_depth(host->link) < host->page->outbox_max;
}

enum trp_err trp_host_send(struct trp_host *host, struct trp_ref to, uint16_t type,
                           const void *body, size_t bytes) {
  enum trp_err err = check_body(type, body, bytes);
  if (err != TRP_OK) return err;
  if (trp_ref_is_nobody(to)) return TRP_NO_ACTOR;
  if (!has_room(host)) return TRP_OUTBOX_FULL;
  struct trp_frame_head head = {
      .kind = TRP_FRAME_SEND, .type = type, .bytes = (uint32_t)bytes, .a = to.bits};
  return trp_host_frame(host, &head, body, false);
}

enum trp_err trp_host_ask(struct trp_self *self, struct trp_ref to, uint16_t type, const void *body,
                          size_t bytes, uint64_t timeout_ns, uint64_t *correlation) {
  struct trp_system *system = self->actor->system;
  struct trp_host *host = system->host;
  enum trp_err err = check_body(type, body, bytes);
  if (err != TRP_OK) return err;
  if (trp_ref_is_nobody(to)) return TRP_NO_ACTOR;
  if (!has_room(host)) return TRP_OUTBOX_FULL;
  struct trp_ask *ask = trp_ask_open(&system->asks);
  if (ask == NULL) return TRP_LIMIT;
  ask->asker = self->actor;
  err = trp_ask_limit(self, ask, timeout_ns);
  if (err == TRP_OK) {
    struct trp_frame_head head = {.kind = TRP_FRAME_ASK,
                                  .type = type,
                                  .bytes = (uint32_t)bytes,
                                  .a = to.bits,
                                  .b = trp_ask_token(ask),
                                  .c = timeout_ns};
    trp_ask_mine(self, ask); /* before sending: the answer may come at once */
    err = trp_host_frame(host, &head, body, false);
    if (correlation != NULL) *correlation = head.b;
    if (err == TRP_OK) return TRP_OK;
    trp_ask_forget(self, ask);
  }
  trp_ask_undo(self, ask);
  return err;
}

void trp_host_cancel(struct trp_host *host, uint64_t token) {
  struct trp_frame_head head = {.kind = TRP_FRAME_CANCEL, .a = token};
  (void)trp_host_frame(host, &head, NULL, true);
}

enum trp_err trp_host_reply(struct trp_host *host, uint64_t token, uint16_t type, const void *body,
                            size_t bytes) {
  enum trp_err err = check_body(type, body, bytes);
  if (err != TRP_OK) return err;
  struct trp_frame_head head = {
      .kind = TRP_FRAME_REPLY, .type = type, .bytes = (uint32_t)bytes, .a = token};
  return trp_host_frame(host, &head, body, true);
}

/* ---- watching ---- */

enum trp_err trp_host_watch(struct trp_host *host, const char *name, uint64_t *id) {
  uint32_t index;
  if (!trp_directory_find(host->directory, name, &index)) return TRP_NO_ACTOR;
  struct trp_frame_head head = {
      .kind = TRP_FRAME_WATCH, .bytes = (uint32_t)strlen(name) + 1, .a = host->last_watch + 1};
  enum trp_err err = trp_host_frame(host, &head, name, true);
  if (err == TRP_OK) host->last_watch++;
  if (id != NULL) *id = host->last_watch;
  return err;
}

enum trp_err trp_host_monitor(struct trp_host *host, struct trp_ref who, uint64_t *id) {
  if (trp_ref_is_nobody(who)) return TRP_NO_ACTOR;
  struct trp_frame_head head = {
      .kind = TRP_FRAME_MONITOR, .a = host->last_watch + 1, .b = who.bits};
  enum trp_err err = trp_host_frame(host, &head, NULL, true);
  if (err == TRP_OK) host->last_watch++;
  if (id != NULL) *id = host->last_watch;
  return err;
}

/* What is already on its way must not be heard any more. */
void trp_host_demonitor(struct trp_host *host, uint64_t id) {
  struct trp_frame_head head = {.kind = TRP_FRAME_DEMONITOR, .a = id};
  (void)trp_host_frame(host, &head, NULL, true);
  if (host->dropped_count == host->dropped_room) {
    size_t room = host->dropped_room * 2 + 8;
    uint64_t *larger = realloc(host->dropped_watches, room * sizeof *larger);
    if (larger == NULL) return;
    host->dropped_watches = larger;
    host->dropped_room = room;
  }
  host->dropped_watches[host->dropped_count++] = id;
}

enum trp_err trp_host_edge(struct trp_host *host, struct trp_ref from, struct trp_ref to,
                           bool add) {
  struct trp_frame_head head = {
      .kind = add ? TRP_FRAME_EDGE_ADD : TRP_FRAME_EDGE_REMOVE, .a = from.bits, .b = to.bits};
  if (add && (!may_live(host, from) || !may_live(host, to))) return TRP_NO_ACTOR;
  return trp_host_frame(host, &head, NULL, true);
}

/* ---- telling ---- */

void trp_host_log(struct trp_host *host, enum trp_log_level level, const char *event,
                  const char *format, va_list args) {
  char text[TRP_LOG_LINE_MAX];
  if ((int)level < host->page->log_level) return;
  int event_bytes = snprintf(text, sizeof text / 4, "%s", event) + 1;
  if (event_bytes <= 0 || event_bytes > (int)sizeof text / 4) event_bytes = sizeof text / 4;
  size_t room = sizeof text - (size_t)event_bytes;
  int n = vsnprintf(text + event_bytes, room, format, args);
  if (n < 0) return;
  size_t bytes = (size_t)event_bytes + ((size_t)n < room ? (size_t)n + 1 : room);
  struct trp_frame_head head = {
      .kind = TRP_FRAME_LOG, .bytes = (uint32_t)bytes, .a = (uint64_t)level};
  if (trp_host_frame(host, &head, text, false) != TRP_OK) host->lines_lost++;
}

void trp_host_journal(struct trp_host *host, uint16_t type, const void *body, size_t bytes) {
  struct trp_frame_head head = {.kind = TRP_FRAME_JOURNAL, .type = type, .bytes = (uint32_t)bytes};
  if (check_body(type, body, bytes) != TRP_OK) return;
  if (trp_host_frame(host, &head, body, false) != TRP_OK) host->lines_lost++;
}

bool trp_host_stop(struct trp_host *host, const char *reason) {
  enum trp_actor_state state = trp_actor_state(&host->page->actor);
  /* Before its life has begun and after it, what stops is this process, by its own coordinator. */
  bool lives = state == TRP_ACTOR_RUNNING || state == TRP_ACTOR_DRAINING;
  bool asked_by_it = trp_turn_current() != NULL && state != TRP_ACTOR_GONE;
  if (!lives && !asked_by_it) return false;
  bool at_once = atomic_load_explicit(&host->system->stop_now_asked, memory_order_relaxed);
  struct trp_frame_head head = {.kind = TRP_FRAME_STOP,
                                .bytes = reason != NULL ? (uint32_t)strlen(reason) + 1 : 0,
                                .a = at_once};
  (void)trp_host_frame(host, &head, reason, true);
  return true;
}

/* ---- turns ---- */

void trp_host_open(struct trp_host *host, struct trp_msg *msg) {
  uint64_t place = msg->from.bits % TRP_HOST_SENDERS;
  msg->from.bits = host->senders[place].from;
  msg->token = host->senders[place].token;
}

static bool is_dropped(const struct trp_host *host, uint64_t watch) {
  for (size_t i = 0; i < host->dropped_count; i++) {
    if (host->dropped_watches[i] == watch) return true;
  }
  return false;
}

void trp_host_deliver(struct trp_actor *a, struct trp_node *node) {
  struct trp_news *news = (struct trp_news *)node;
  struct trp_msg msg = {.type = news->type, .bytes = news->bytes, .body = news->body};
  const struct trp_up *up = trp_msg_up(&msg);
  const struct trp_down *down = trp_msg_down(&msg);
  uint64_t watch = up != NULL ? up->monitor : down != NULL ? down->monitor : 0;
  if (watch != 0 && !is_dropped(a->system->host, watch)) trp_turn_deliver(a, &msg);
  free(news); /* not reached where the turn unwound: then the process ends anyway */
}

/* Before the acknowledgement goes what was caused by the letters, in this order on the link; and
 * that something is owed, so that the slot does not close on an empty mailbox alone. */
void trp_host_after_step(struct trp_actor *a, uint64_t debts) {
  struct trp_host *host = a->system->host;
  if (!host->told_started) {
    struct trp_frame_head head = {.kind = TRP_FRAME_STARTED};
    host->told_started = trp_host_frame(host, &head, NULL, true) == TRP_OK;
  }
  a->self.hands_full = trp_link_is_tight(host->link, host->page->outbox_max / 2);
  uint64_t handled = atomic_load_explicit(&a->handled, memory_order_relaxed);
  bool owing = debts > 0, pill = trp_actor_state(a) == TRP_ACTOR_DRAINING;
  if (handled == host->told_handled && owing == host->told_owing && pill == host->told_pill) return;
  struct trp_frame_head head = {.kind = TRP_FRAME_STATUS, .a = handled, .b = owing, .c = pill};
  if (trp_host_frame(host, &head, NULL, true) != TRP_OK) return;
  host->told_handled = handled;
  host->told_owing = owing;
  host->told_pill = pill;
}
