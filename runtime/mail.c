/* mail.c - a letter's way: filled, put, displaced, refused, buried; and each of it counted. */
#include <string.h>

#include "runtime/actor.h"
#include "runtime/blob.h"
#include "runtime/check.h"
#include "runtime/host.h"
#include "runtime/sched.h"

enum trp_err trp_letter_fill(struct trp_letter *letter, uint16_t type, const void *body,
                             size_t bytes) {
  if (type == TRP_NONE || (bytes > 0 && body == NULL)) return TRP_INVALID;
  if (bytes > TRP_BODY_MAX) return TRP_TOO_BIG;
  letter->type = type;
  letter->flags = 0;
  if (bytes <= TRP_INLINE_BYTES) {
    letter->inline_bytes = (uint8_t)bytes;
    /* A whole line by a few wide moves, where a call would cost more than the copying. */
    if (bytes == TRP_INLINE_BYTES) memcpy(letter->body.bytes, body, TRP_INLINE_BYTES);
    if (bytes > 0 && bytes < TRP_INLINE_BYTES) memcpy(letter->body.bytes, body, bytes);
    return TRP_OK;
  }
  letter->inline_bytes = TRP_LETTER_BLOB;
  letter->body.blob = trp_blob_new(body, bytes);
  return letter->body.blob == NULL ? TRP_NO_MEMORY : TRP_OK;
}

void trp_letter_release(struct trp_system *system, struct trp_letter *letter, enum trp_err why) {
  if (letter->inline_bytes == TRP_LETTER_BLOB) trp_blob_release(letter->body.blob);
  letter->inline_bytes = 0;
  /* A question that nobody will answer any more is told so, not left to its deadline. */
  if (letter->flags & TRP_LETTER_ASK) trp_ask_fail(system, letter->from, why);
  letter->flags = 0;
}

void trp_letter_open(const struct trp_letter *letter, struct trp_msg *msg) {
  bool blob = letter->inline_bytes == TRP_LETTER_BLOB;
  bool ask = (letter->flags & TRP_LETTER_ASK) != 0;
  msg->type = letter->type;
  msg->bytes = blob ? letter->body.blob->bytes : letter->inline_bytes;
  msg->body = msg->bytes == 0 ? NULL : blob ? letter->body.blob->body : letter->body.bytes;
  msg->from = ask ? TRP_NOBODY : (struct trp_ref){letter->from};
  msg->token = ask ? letter->from : 0;
  msg->correlation = 0;
  msg->shared = blob ? letter->body.blob : NULL;
}

static enum trp_refusal refusal_of(enum trp_err err) {
  switch (err) {
    case TRP_FULL:
      return TRP_REFUSED_FULL;
    case TRP_STOPPED:
      return TRP_REFUSED_STOPPED;
    case TRP_OUTBOX_FULL:
      return TRP_REFUSED_OUTBOX;
    default:
      return TRP_REFUSED_DEAD;
  }
}

void trp_mail_refused(struct trp_actor *to, enum trp_err err) {
  atomic_fetch_add_explicit(&to->refused[refusal_of(err)], 1, memory_order_relaxed);
}

enum trp_err trp_mail_put(struct trp_actor *to, uint64_t incarnation, bool outside,
                          struct trp_letter *letter) {
  struct trp_put put;
  put.wake = put.displaced = false;
  enum trp_err err = to->mailbox.ops->put(&to->mailbox, incarnation, outside, letter, 1, &put);
  if (err != TRP_OK) return err;
  if (put.wake) to->system->sched->ops->wake(to->system->sched, to);
  if (put.displaced) trp_letter_release(to->system, &put.out, TRP_DEAD);
  return TRP_OK;
}

void trp_mail_bury(struct trp_actor *actor, enum trp_loss why) {
  struct trp_mailbox *mailbox = &actor->mailbox;
  ASSERT(trp_mailbox_is_closed(mailbox));
  for (;;) {
    const struct trp_letter *letter = mailbox->ops->peek(mailbox);
    if (letter == NULL) {
      if (mailbox->ops->drained(mailbox)) return;
      sched_yield(); /* claimed before the closing; its sender is between claim and publication */
      continue;
    }
    struct trp_letter copy;
    memcpy(&copy, letter, sizeof copy);
    mailbox->ops->pop(mailbox);
    trp_count(&actor->dead[why], 1);
    trp_letter_release(actor->system, &copy, TRP_DEAD);
  }
}

struct trp_actor *trp_actor_find(struct trp_system *system, struct trp_ref ref) {
  if (system->host != NULL) return trp_host_find(system->host, ref);
  return trp_slots_at(&system->slots, trp_ref_index(ref));
}

/* Sends a letter from an actor; takes its blob in any case. */
static enum trp_err send_letter(struct trp_self *self, struct trp_actor *to, struct trp_ref ref,
                                struct trp_letter *letter) {
  enum trp_err err;
  /* Who waited for room in its own mailbox would wait for ever. */
  bool waits = trp_spec_of(to)->mailbox.policy == TRP_WAIT && to != self->actor;
  if (trp_turning.stage.count > 0) trp_stage_flush(self->actor); /* that came first */
  if (waits && self->outbox.count > 0 && trp_outbox_holds_for(self->actor, ref)) {
    err = trp_outbox_keep(self->actor, ref, letter);
  } else {
    err = trp_mail_put(to, trp_ref_incarnation(ref), false, letter);
    if (err == TRP_FULL && waits) err = trp_outbox_keep(self->actor, ref, letter);
  }
  if (err == TRP_OK) return TRP_OK;
  trp_mail_refused(to, err);
  if (letter->inline_bytes == TRP_LETTER_BLOB) trp_blob_release(letter->body.blob);
  return err;
}

enum trp_err trp_send(struct trp_self *self, struct trp_ref to, uint16_t type, const void *body,
                      size_t bytes) {
  struct trp_host *host = self->actor->system->host;
  if (host != NULL) return trp_host_send(host, to, type, body, bytes);
  struct trp_actor *target = trp_actor_find(self->actor->system, to);
  if (target == NULL) return TRP_NO_ACTOR;
  struct trp_letter own, *staged = trp_stage_next(self->actor, target, to);
  struct trp_letter *letter = staged != NULL ? staged : &own;
  enum trp_err err = trp_letter_fill(letter, type, body, bytes);
  if (err != TRP_OK) return err;
  letter->from = trp_self_ref(self).bits;
  if (staged == NULL) return send_letter(self, target, to, letter);
  trp_stage_add();
  return TRP_OK;
}

enum trp_err trp_forward(struct trp_self *self, struct trp_ref to, const struct trp_msg *msg) {
  bool far = self->actor->system->host != NULL;
  if (msg->shared == NULL || far) return trp_send(self, to, msg->type, msg->body, msg->bytes);
  struct trp_actor *target = trp_actor_find(self->actor->system, to);
  if (target == NULL) return TRP_NO_ACTOR;
  struct trp_letter letter = {
      .type = msg->type, .inline_bytes = TRP_LETTER_BLOB, .from = trp_self_ref(self).bits};
  letter.body.blob = trp_blob_hold((struct trp_blob *)msg->shared);
  return send_letter(self, target, to, &letter);
}

enum trp_err trp_share_begin(struct trp_msg *msg, uint16_t type, const void *body, size_t bytes) {
  if (type == TRP_NONE || (bytes > 0 && body == NULL)) return TRP_INVALID;
  if (bytes > TRP_BODY_MAX) return TRP_TOO_BIG;
  *msg = (struct trp_msg){.type = type, .bytes = (uint32_t)bytes, .body = body};
  if (bytes <= TRP_INLINE_BYTES) return TRP_OK;
  struct trp_blob *blob = trp_blob_new(body, bytes);
  if (blob == NULL) return TRP_NO_MEMORY;
  msg->body = blob->body;
  msg->shared = blob;
  return TRP_OK;
}

void trp_share_end(struct trp_msg *msg) {
  trp_blob_release((struct trp_blob *)msg->shared);
  msg->shared = NULL;
}

enum trp_err trp_system_send(struct trp_system *system, struct trp_ref to, uint16_t type,
                             const void *body, size_t bytes) {
  return trp_system_send_wait(system, to, type, body, bytes, 0);
}

enum trp_err trp_system_send_wait(struct trp_system *system, struct trp_ref to, uint16_t type,
                                  const void *body, size_t bytes, uint64_t timeout_ns) {
  const uint64_t longest_nap_ns = 5 * TRP_NS_PER_MS;
  struct trp_actor *target = trp_actor_find(system, to);
  if (target == NULL) return TRP_NO_ACTOR;
  struct trp_letter letter;
  enum trp_err err = trp_letter_fill(&letter, type, body, bytes);
  if (err != TRP_OK) return err;
  letter.from = 0;
  uint64_t start = timeout_ns > 0 ? trp_system_now_ns(system) : 0, nap = 50000;
  _Atomic uint32_t never = 0; /* nobody wakes it: room is polled, as only outsiders do */
  while ((err = trp_mail_put(target, trp_ref_incarnation(to), true, &letter)) == TRP_FULL) {
    uint64_t now = timeout_ns > 0 ? trp_system_now_ns(system) : 0;
    if (now - start >= timeout_ns) break;
    uint64_t left = timeout_ns - (now - start);
    system->sched->ops->wait(system->sched, &never, 0, now + (nap < left ? nap : left));
    if (nap < longest_nap_ns) nap *= 2;
  }
  if (err == TRP_OK) return TRP_OK;
  trp_mail_refused(target, err); /* once, however often it was tried */
  if (letter.inline_bytes == TRP_LETTER_BLOB) trp_blob_release(letter.body.blob);
  return err == TRP_FULL && timeout_ns > 0 ? TRP_TIMEOUT : err;
}

void trp_ask_undo(struct trp_self *self, struct trp_ask *ask) {
  trp_ask_unlink(ask);
  trp_timers_remove_ask(&self->timers, trp_ask_token(ask));
  /* Where the target died in between, its word is in the lane already, and closed there. */
  (void)trp_ask_abandon(&self->actor->system->asks, ask);
}

void trp_ask_mine(struct trp_self *self, struct trp_ask *ask) {
  ask->mine_prev = NULL;
  ask->mine_next = self->asks;
  if (self->asks != NULL) self->asks->mine_prev = ask;
  self->asks = ask;
  trp_held(self->actor, TRP_RES_ASK, 1);
}

enum trp_err trp_ask_limit(struct trp_self *self, struct trp_ask *ask, uint64_t timeout_ns) {
  if (timeout_ns == TRP_FOREVER) return TRP_OK;
  uint64_t now = trp_now_ns(self);
  struct trp_timer_entry entry = {
      .due_ns = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns,
      .tag = trp_ask_token(ask),
      .kind = TRP_TIMER_ASK};
  return trp_timers_add(&self->timers, entry, NULL);
}

enum trp_err trp_ask(struct trp_self *self, struct trp_ref to, uint16_t type, const void *body,
                     size_t bytes, uint64_t timeout_ns, uint64_t *correlation) {
  struct trp_system *system = self->actor->system;
  if (system->host != NULL)
    return trp_host_ask(self, to, type, body, bytes, timeout_ns, correlation);
  struct trp_actor *target = trp_actor_find(system, to);
  if (target == NULL) return TRP_NO_ACTOR;
  struct trp_letter letter;
  enum trp_err err = trp_letter_fill(&letter, type, body, bytes);
  if (err != TRP_OK) return err;
  struct trp_ask *ask = trp_ask_open(&system->asks);
  if (ask == NULL) {
    if (letter.inline_bytes == TRP_LETTER_BLOB) trp_blob_release(letter.body.blob);
    return TRP_LIMIT;
  }
  ask->asker = self->actor;
  atomic_store_explicit(&ask->asker_ref, trp_self_ref(self).bits, memory_order_release);
  letter.from = trp_ask_token(ask);
  letter.flags = TRP_LETTER_ASK;
  err = trp_ask_limit(self, ask, timeout_ns);
  if (err == TRP_OK && !trp_ask_link(ask, target, trp_ref_incarnation(to))) err = TRP_DEAD;
  if (err == TRP_OK) {
    trp_ask_mine(self, ask); /* before sending: the answer may come at once */
    err = send_letter(self, target, to, &letter);
    if (err == TRP_OK) {
      if (correlation != NULL) *correlation = letter.from;
      return TRP_OK;
    }
    self->asks = ask->mine_next;
    if (self->asks != NULL) self->asks->mine_prev = NULL;
    trp_held(self->actor, TRP_RES_ASK, -1);
  } else {
    trp_mail_refused(target, err);
    if (letter.inline_bytes == TRP_LETTER_BLOB) trp_blob_release(letter.body.blob);
  }
  trp_ask_undo(self, ask);
  return err;
}

enum trp_err trp_reply(struct trp_self *self, uint64_t token, uint16_t type, const void *body,
                       size_t bytes) {
  struct trp_host *host = self->actor->system->host;
  if (token == 0) return TRP_INVALID;
  if (host != NULL) return trp_host_reply(host, token, type, body, bytes);
  struct trp_letter letter;
  enum trp_err err = trp_letter_fill(&letter, type, body, bytes);
  if (err != TRP_OK) return err;
  letter.from = trp_self_ref(self).bits;
  err = trp_ask_complete(self->actor->system, token, &letter);
  if (err != TRP_OK && letter.inline_bytes == TRP_LETTER_BLOB) {
    trp_blob_release(letter.body.blob);
  }
  return err;
}

enum trp_err trp_system_ask(struct trp_system *system, struct trp_ref to, uint16_t type,
                            const void *body, size_t bytes, uint64_t timeout_ns,
                            uint16_t *answer_type, void *answer, size_t *answer_bytes) {
  struct trp_actor *target = trp_actor_find(system, to);
  if (target == NULL) return TRP_NO_ACTOR;
  struct trp_letter letter;
  enum trp_err err = trp_letter_fill(&letter, type, body, bytes);
  if (err != TRP_OK) return err;
  struct trp_ask *ask = trp_ask_open(&system->asks);
  if (ask == NULL) err = TRP_LIMIT;
  if (err == TRP_OK) {
    letter.from = trp_ask_token(ask);
    letter.flags = TRP_LETTER_ASK;
    err = trp_ask_link(ask, target, trp_ref_incarnation(to)) ? TRP_OK : TRP_DEAD;
    if (err == TRP_OK) err = trp_mail_put(target, trp_ref_incarnation(to), true, &letter);
    if (err != TRP_OK) trp_mail_refused(target, err);
  }
  if (err != TRP_OK) {
    if (letter.inline_bytes == TRP_LETTER_BLOB) trp_blob_release(letter.body.blob);
    if (ask != NULL) trp_ask_unlink(ask);
    if (ask != NULL) trp_ask_close(&system->asks, ask);
    return err;
  }
  uint64_t now = trp_system_now_ns(system);
  uint64_t until = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
  while (atomic_load_explicit(&ask->filled, memory_order_acquire) == 0 && now < until) {
    system->sched->ops->wait(system->sched, &ask->filled, 0, until);
    now = trp_system_now_ns(system);
  }
  trp_ask_fail(system, letter.from, TRP_TIMEOUT); /* where an answer came, this does nothing */
  trp_ask_unlink(ask);
  trp_ask_wait_filled(ask); /* it may be coming at this very moment */
  struct trp_msg msg;
  trp_letter_open(&ask->answer, &msg);
  size_t room = answer_bytes != NULL ? *answer_bytes : 0;
  if (msg.type == TRP_ASK_FAILED) {
    err = (enum trp_err)((const struct trp_ask_failed *)msg.body)->status;
  } else if (msg.bytes > room && answer != NULL) {
    err = TRP_TOO_BIG;
  }
  if (answer_type != NULL) *answer_type = msg.type;
  if (answer_bytes != NULL) *answer_bytes = msg.bytes;
  if (err == TRP_OK && answer != NULL && msg.bytes > 0) memcpy(answer, msg.body, msg.bytes);
  trp_ask_close(&system->asks, ask);
  return err;
}
