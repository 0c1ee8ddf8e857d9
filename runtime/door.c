#include "runtime/door.h"

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "runtime/actor.h"
#include "runtime/check.h"
#include "runtime/stage.h"
#include "runtime/system.h"

enum { BATCH = 64 }; /* messages that go in together: one claim, one wake */

struct trp_door {
  struct trp_actor *actor;
  nng_socket socket;
  nng_aio *aio;
  pthread_mutex_t lock;
  nng_msg *held; /* received and not yet wholly in the mailbox; while it is, nothing is armed */
  size_t offset; /* of what of it is still to go in */
  void *body;    /* room for one decoded message */
  size_t room;
  uint64_t malformed;
  struct trp_waiter waiter;
  bool closing;
};

/* What the runtime says of lives and timers is not to be said by a stranger. */
static bool may_enter(uint16_t type) { return type >= TRP_SUBSCRIBE || type == TRP_FAULT; }

/* Decodes the message at that place of what is held into door->body. */
static enum trp_err decode_at(struct trp_door *door, size_t at, uint16_t *type, size_t *bytes,
                              size_t *used) {
  const uint8_t *in = (const uint8_t *)nng_msg_body(door->held) + at;
  size_t left = nng_msg_len(door->held) - at;
  *bytes = door->room;
  enum trp_err err = trp_decode(in, left, used, type, door->body, bytes);
  if (err != TRP_TOO_BIG || *bytes <= door->room || *bytes > TRP_BODY_MAX) return err;
  void *larger = realloc(door->body, *bytes);
  if (larger == NULL) return TRP_NO_MEMORY;
  door->body = larger;
  door->room = *bytes;
  return trp_decode(in, left, used, type, door->body, bytes);
}

/* What goes in together; each letter with where the message behind it begins. */
struct batch {
  uint32_t count;
  size_t next[BATCH];
  struct trp_letter letters[BATCH];
};

/* One bad message is left out where its end is known; else the rest cannot be told apart. */
static void leave_out(struct trp_door *door, size_t used, enum trp_err err) {
  door->malformed++;
  trp_system_log(door->actor->system, door->actor->name, TRP_LOG_WARN, "door.malformed",
                 "error=%s offset=%zu bytes=%zu", trp_err_name(err), door->offset,
                 nng_msg_len(door->held));
  door->offset = used > 0 ? door->offset + used : nng_msg_len(door->held);
}

static enum trp_err decode_into(struct trp_door *door, size_t at, struct trp_letter *letter,
                                size_t *used) {
  uint16_t type = 0;
  size_t bytes = 0;
  enum trp_err err = decode_at(door, at, &type, &bytes, used);
  if (err == TRP_OK && !may_enter(type)) err = TRP_NOT_ALLOWED;
  if (err == TRP_OK) err = trp_letter_fill(letter, type, door->body, bytes);
  letter->flags = TRP_LETTER_DOOR;
  letter->from = 0;
  return err;
}

/* The next messages, up to the end, to a full batch, or to one that is bad: that one is left out
 * once it is the first. */
static void gather(struct trp_door *door, struct batch *batch) {
  bool ring = door->actor->mailbox.evict == NULL;
  uint32_t most = ring ? BATCH : 1;
  size_t at = door->offset, used = 0;
  for (batch->count = 0; batch->count < most && at < nng_msg_len(door->held); batch->count++) {
    enum trp_err err = decode_into(door, at, &batch->letters[batch->count], &used);
    if (err != TRP_OK && batch->count == 0) leave_out(door, used, err);
    if (err != TRP_OK) return;
    at += used;
    batch->next[batch->count] = at;
  }
}

/* How many of these went in; where it is 0, why, in *err. */
static uint32_t try_in(struct trp_door *door, struct trp_letter *letters, uint32_t count,
                       enum trp_err *err) {
  struct trp_actor *a = door->actor;
  uint64_t incarnation = trp_mailbox_incarnation(&a->mailbox);
  if (a->mailbox.evict == NULL) {
    return trp_stage_put(a, incarnation, true, letters, count, err);
  }
  *err = trp_mail_put(a, incarnation, true, letters);
  return *err == TRP_OK;
}

static uint32_t put_in(struct trp_door *door, struct batch *batch, enum trp_err *err) {
  uint32_t gone = 0;
  *err = TRP_OK;
  while (gone < batch->count && *err == TRP_OK) {
    gone += try_in(door, &batch->letters[gone], batch->count - gone, err);
    if (*err != TRP_FULL) continue;
    trp_waiter_list(door->actor, &door->waiter);
    gone += try_in(door, &batch->letters[gone], batch->count - gone, err);
    if (*err != TRP_FULL) trp_waiter_unlist(door->actor, &door->waiter);
  }
  return gone;
}

/* Refused for good? Between two lives the mail waits here instead. */
static bool is_final(struct trp_door *door, enum trp_err err) {
  if (err == TRP_FULL) return false;
  if (err != TRP_DEAD) return true;
  return atomic_load_explicit(&door->actor->system->stopping, memory_order_acquire);
}

/* Those from `first` on have not gone in: refused for good, or to be decoded once more. */
static void give_up(struct trp_door *door, struct batch *batch, uint32_t first, enum trp_err err) {
  bool final = is_final(door, err);
  for (uint32_t i = first; i < batch->count; i++) {
    if (final) trp_mail_refused(door->actor, err);
    trp_letter_release(door->actor->system, &batch->letters[i], err);
  }
  if (final) door->offset = batch->next[batch->count - 1];
}

/* Moves what is held into the mailbox; true where the hands are empty again. Under the lock. */
static bool give_on(struct trp_door *door) {
  struct batch batch;
  while (door->held != NULL && door->offset < nng_msg_len(door->held)) {
    enum trp_err err;
    gather(door, &batch);
    uint32_t gone = put_in(door, &batch, &err);
    if (gone > 0) door->offset = batch.next[gone - 1];
    if (gone == batch.count) continue;
    give_up(door, &batch, gone, err);
    if (!is_final(door, err)) return false;
  }
  if (door->held != NULL) nng_msg_free(door->held);
  door->held = NULL;
  return !door->closing;
}

static void received(void *arg) {
  struct trp_door *door = arg;
  if (nng_aio_result(door->aio) != 0) return; /* stopped or closed */
  pthread_mutex_lock(&door->lock);
  door->held = nng_aio_get_msg(door->aio);
  door->offset = 0;
  bool again = give_on(door);
  pthread_mutex_unlock(&door->lock);
  if (again) nng_recv_aio(door->socket, door->aio);
}

void trp_door_resume(struct trp_door *door) {
  pthread_mutex_lock(&door->lock);
  bool again = door->held != NULL && give_on(door);
  pthread_mutex_unlock(&door->lock);
  if (again) nng_recv_aio(door->socket, door->aio);
}

static enum trp_err error_of(int rv) {
  switch (rv) {
    case 0:
      return TRP_OK;
    case NNG_EADDRINUSE:
      return TRP_EXISTS;
    case NNG_EADDRINVAL:
    case NNG_EINVAL:
    case NNG_ENOTSUP:
      return TRP_INVALID;
    case NNG_ENOMEM:
      return TRP_NO_MEMORY;
    default:
      return TRP_SYSTEM;
  }
}

static int listen_also(struct trp_door *door, const char *url) {
  nng_listener listener;
  int rv = nng_listener_create(&listener, door->socket, url);
  if (rv != 0) return rv;
  rv = nng_listener_set_size(listener, NNG_OPT_RECVMAXSZ, TRP_DOOR_MESSAGE_MAX);
  if (rv == 0 && strncmp(url, "ipc://", 6) == 0) {
    rv = nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, 0600);
  }
  return rv != 0 ? rv : nng_listener_start(listener, 0);
}

static int open_socket(struct trp_door *door) {
  struct trp_actor *a = door->actor;
  char url[128];
  snprintf(url, sizeof url, "inproc://%s/%s", a->system->name, a->name);
  int rv = nng_pull0_open(&door->socket);
  if (rv != 0) return rv;
  rv = nng_listen(door->socket, url, NULL, 0);
  if (rv == 0 && a->listen != NULL) rv = listen_also(door, a->listen);
  if (rv == 0) rv = nng_aio_alloc(&door->aio, received, door);
  if (rv != 0) nng_close(door->socket);
  return rv;
}

enum trp_err trp_door_open(struct trp_actor *actor) {
  if (actor->system->options.sched == TRP_SCHED_SIM) return TRP_OK; /* nobody outside the thread */
  struct trp_door *door = calloc(1, sizeof *door);
  if (door == NULL) return TRP_NO_MEMORY;
  door->actor = actor;
  pthread_mutex_init(&door->lock, NULL);
  int rv = open_socket(door);
  if (rv != 0) {
    pthread_mutex_destroy(&door->lock);
    free(door);
    return error_of(rv);
  }
  actor->door = door;
  trp_held(actor, TRP_RES_SOCKET, 1);
  nng_recv_aio(door->socket, door->aio);
  return TRP_OK;
}

void trp_door_close(struct trp_door **door_) {
  struct trp_door *door = *door_;
  *door_ = NULL;
  pthread_mutex_lock(&door->lock);
  door->closing = true;
  pthread_mutex_unlock(&door->lock);
  trp_waiter_unlist(door->actor, &door->waiter);
  nng_aio_stop(door->aio); /* waits for a callback that runs */
  nng_close(door->socket);
  nng_aio_free(door->aio);
  if (door->held != NULL) nng_msg_free(door->held);
  trp_held(door->actor, TRP_RES_SOCKET, -1);
  pthread_mutex_destroy(&door->lock);
  free(door->body);
  free(door);
}
