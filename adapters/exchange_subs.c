#include "adapters/exchange_subs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void mark(struct trp_exchange_session *session, uint32_t channel, bool on) {
  if (channel == TRP_REPLAY_NONE) {
    return;
  }
  uint64_t bit = UINT64_C(1) << (channel % 64);
  if (on) {
    session->bits[channel / 64] |= bit;
  } else {
    session->bits[channel / 64] &= ~bit;
  }
}

struct trp_exchange_sub *trp_exchange_subs_find(const struct trp_exchange_session *session,
                                                const char *name) {
  for (uint32_t i = 0; i < session->count; i++) {
    if (strcmp(session->subs[i].name, name) == 0) {
      return &session->subs[i];
    }
  }
  return NULL;
}

struct trp_exchange_sub *trp_exchange_subs_of(const struct trp_exchange_session *session,
                                              uint32_t channel) {
  for (uint32_t i = 0; i < session->count; i++) {
    if (session->subs[i].channel == channel) {
      return &session->subs[i];
    }
  }
  return NULL;
}

/* Room for one more. */
static enum trp_err grow(struct trp_exchange_session *session, uint32_t max) {
  if (session->count >= max) {
    return TRP_LIMIT;
  }
  if (session->count < session->capacity) {
    return TRP_OK;
  }
  uint32_t capacity = session->capacity != 0 ? session->capacity * 2 : 8;
  struct trp_exchange_sub *subs = realloc(session->subs, capacity * sizeof *subs);
  if (subs == NULL) {
    return TRP_NO_MEMORY;
  }
  session->subs = subs;
  session->capacity = capacity;
  return TRP_OK;
}

struct trp_exchange_sub *trp_exchange_subs_add(struct trp_exchange_session *session,
                                               const char *name, uint32_t channel, uint32_t stream,
                                               uint64_t now_ns, uint32_t max, enum trp_err *err) {
  *err = grow(session, max);
  if (*err != TRP_OK) {
    return NULL;
  }
  struct trp_exchange_sub *sub = &session->subs[session->count++];
  *sub = (struct trp_exchange_sub){.channel = channel, .cursor = trp_replay_start(stream, now_ns)};
  snprintf(sub->name, sizeof sub->name, "%s", name);
  mark(session, channel, true);
  return sub;
}

bool trp_exchange_subs_remove(struct trp_exchange_session *session, const char *name) {
  struct trp_exchange_sub *sub = trp_exchange_subs_find(session, name);
  if (sub == NULL) {
    return false;
  }
  uint32_t channel = sub->channel;
  session->count--;
  memmove(sub, sub + 1, (size_t)(session->subs + session->count - sub) * sizeof *sub);
  /* Two names may lead to one channel. */
  mark(session, channel, channel != TRP_REPLAY_NONE && trp_exchange_subs_of(session, channel));
  return true;
}

void trp_exchange_subs_cut(struct trp_exchange_session *session, uint32_t count) {
  while (session->count > count) {
    char name[TRP_EXCHANGE_NAME_MAX + 1];
    memcpy(name, session->subs[session->count - 1].name, sizeof name);
    trp_exchange_subs_remove(session, name);
  }
}

void trp_exchange_subs_fini(struct trp_exchange_session *session) {
  free(session->subs);
  *session = (struct trp_exchange_session){0};
}
