#include "actors/event_engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPES = 64 }; /* events with a list of their own: all of messages.def; others share one */

struct owner { /* one subscriber, however many subscriptions it has */
  struct trp_ref ref;
  uint64_t monitor;
  uint32_t subscriptions;
  uint64_t got; /* the last event it was given: each comes once */
};

struct subscription {
  struct owner *owner;
  uint32_t event, symbol; /* 0: all */
};

/* Subscriptions to one type (or to the types without a list), in the order of subscribing. */
struct list {
  struct subscription *items;
  uint32_t count, room;
};

struct engine {
  struct list lists[TYPES + 1];  /* [0]: to everything; [TYPES]: types beyond the table */
  uint32_t symbol_offset[TYPES]; /* of the field `symbol` in the body, 0 where there is none */
  struct owner **owners;
  uint32_t owner_count, owner_room;
  uint32_t subscriptions, subscriptions_max;
  uint64_t events, delivered, refused, ticks;
};

static struct list *list_of(struct engine *e, uint32_t event) {
  return &e->lists[event < TYPES ? event : TYPES];
}

/* ---- owners ---- */

static struct owner *find_owner(struct engine *e, struct trp_ref ref) {
  for (uint32_t i = 0; i < e->owner_count; i++) {
    if (trp_ref_equal(e->owners[i]->ref, ref)) return e->owners[i];
  }
  return NULL;
}

static enum trp_err new_owner(struct trp_self *self, struct engine *e, struct trp_ref ref,
                              struct owner **out) {
  if (e->owner_count == e->owner_room) {
    uint32_t room = e->owner_room == 0 ? 8 : e->owner_room * 2;
    struct owner **owners = realloc(e->owners, room * sizeof(struct owner *));
    if (owners == NULL) return TRP_NO_MEMORY;
    e->owners = owners;
    e->owner_room = room;
  }
  struct owner *owner = calloc(1, sizeof *owner);
  if (owner == NULL) return TRP_NO_MEMORY;
  owner->ref = ref;
  enum trp_err err = trp_monitor(self, ref, &owner->monitor);
  if (err != TRP_OK) {
    free(owner);
    return err;
  }
  e->owners[e->owner_count++] = owner;
  *out = owner;
  return TRP_OK;
}

static void drop_owner(struct trp_self *self, struct engine *e, struct owner *owner) {
  trp_demonitor(self, owner->monitor);
  uint32_t i = 0;
  while (e->owners[i] != owner) i++;
  e->owner_count--;
  memmove(&e->owners[i], &e->owners[i + 1], (e->owner_count - i) * sizeof e->owners[0]);
  free(owner);
}

/* ---- subscriptions ---- */

static enum trp_err append(struct list *list, struct subscription item) {
  if (list->count == list->room) {
    uint32_t room = list->room == 0 ? 4 : list->room * 2;
    struct subscription *items = realloc(list->items, room * sizeof *items);
    if (items == NULL) return TRP_NO_MEMORY;
    list->items = items;
    list->room = room;
  }
  list->items[list->count++] = item;
  return TRP_OK;
}

static enum trp_err subscribe(struct trp_self *self, struct engine *e, struct trp_ref who,
                              const struct trp_subscribe *wish) {
  if (trp_ref_is_nobody(who)) return TRP_INVALID;
  if (e->subscriptions == e->subscriptions_max) return TRP_LIMIT;
  struct owner *owner = find_owner(e, who);
  enum trp_err err = owner != NULL ? TRP_OK : new_owner(self, e, who, &owner);
  if (err != TRP_OK) return err;
  struct subscription item = {.owner = owner, .event = wish->event, .symbol = wish->symbol};
  struct list *list = list_of(e, wish->event);
  err = append(list, item);
  if (err == TRP_OK) {
    err = trp_edge_add(self, trp_self_ref(self), who);
    if (err != TRP_OK) list->count--; /* who subscribed has died since */
  }
  if (err != TRP_OK) {
    if (owner->subscriptions == 0) drop_owner(self, e, owner);
    return err;
  }
  owner->subscriptions++;
  e->subscriptions++;
  trp_account(self, TRP_RES_SUBSCRIPTION, 1);
  return TRP_OK;
}

static void remove_at(struct trp_self *self, struct engine *e, struct list *list, uint32_t i) {
  struct owner *owner = list->items[i].owner;
  list->count--;
  memmove(&list->items[i], &list->items[i + 1], (list->count - i) * sizeof list->items[0]);
  trp_edge_remove(self, trp_self_ref(self), owner->ref);
  owner->subscriptions--;
  e->subscriptions--;
  trp_account(self, TRP_RES_SUBSCRIPTION, -1);
}

static enum trp_err unsubscribe(struct trp_self *self, struct engine *e, struct trp_ref who,
                                const struct trp_unsubscribe *wish) {
  struct list *list = list_of(e, wish->event);
  for (uint32_t i = 0; i < list->count; i++) {
    struct subscription *item = &list->items[i];
    struct owner *owner = item->owner;
    if (!trp_ref_equal(owner->ref, who) || item->event != wish->event ||
        item->symbol != wish->symbol) {
      continue;
    }
    remove_at(self, e, list, i);
    if (owner->subscriptions == 0) drop_owner(self, e, owner);
    return TRP_OK;
  }
  return TRP_NO_ACTOR;
}

/* A subscriber has died: whatever it forgot to take back goes now. */
static void owner_died(struct trp_self *self, struct engine *e, struct trp_ref who) {
  struct owner *owner = find_owner(e, who);
  if (owner == NULL) return;
  for (uint32_t k = 0; k <= TYPES; k++) {
    for (uint32_t i = e->lists[k].count; i-- > 0;) {
      if (e->lists[k].items[i].owner == owner) remove_at(self, e, &e->lists[k], i);
    }
  }
  drop_owner(self, e, owner);
}

/* ---- events ---- */

static uint32_t symbol_of(const struct engine *e, const struct trp_msg *msg) {
  uint32_t offset = msg->type < TYPES ? e->symbol_offset[msg->type] : 0, symbol = 0;
  if (offset != 0 && offset + sizeof symbol <= msg->bytes) {
    memcpy(&symbol, (const char *)msg->body + offset, sizeof symbol);
  }
  return symbol;
}

static void give(struct trp_self *self, struct engine *e, const struct list *list,
                 const struct trp_msg *msg, uint32_t symbol) {
  for (uint32_t i = 0; i < list->count; i++) {
    const struct subscription *item = &list->items[i];
    if (item->event != 0 && item->event != msg->type) continue;
    if ((item->symbol != 0 && item->symbol != symbol) || item->owner->got == e->events) continue;
    item->owner->got = e->events;
    /* A refusal is the subscriber's own policy at work, and counted in its account. */
    if (trp_forward(self, item->owner->ref, msg) == TRP_OK) {
      e->delivered++;
    } else {
      e->refused++;
    }
  }
}

static void publish(struct trp_self *self, struct engine *e, const struct trp_msg *msg) {
  e->events++;
  uint32_t symbol = symbol_of(e, msg);
  give(self, e, list_of(e, msg->type), msg, symbol);
  give(self, e, &e->lists[0], msg, symbol);
}

static void tick(struct trp_self *self, struct engine *e) {
  struct trp_tick body = {.at_ns = trp_now_ns(self), .sequence = ++e->ticks};
  struct trp_msg msg = {.type = TRP_TICK, .bytes = sizeof body, .body = &body};
  publish(self, e, &msg);
}

/* ---- the kind ---- */

static void answer(struct trp_self *self, uint64_t token, enum trp_err err, const char *text) {
  if (token == 0) return;
  struct trp_result result = {.status = (uint32_t)err};
  snprintf(result.text, sizeof result.text, "%s", text);
  trp_reply(self, token, TRP_RESULT, &result, sizeof result);
}

static void answer_stats(struct trp_self *self, const struct engine *e, uint64_t token) {
  char text[192];
  snprintf(text, sizeof text,
           "events=%" PRIu64 " delivered=%" PRIu64 " refused=%" PRIu64
           " subscribers=%u subscriptions=%u",
           e->events, e->delivered, e->refused, e->owner_count, e->subscriptions);
  answer(self, token, TRP_OK, text);
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct engine *e = state;
  const struct trp_event_engine_options *options = args;
  uint32_t tick_ms = options != NULL && options->tick_ms != 0 ? options->tick_ms : 1000;
  bool limited = options != NULL && options->subscriptions_max != 0;
  e->subscriptions_max = limited ? options->subscriptions_max : 65536;
  size_t count;
  const struct trp_message *messages = trp_message_list(&count);
  for (size_t i = 0; i < count; i++) {
    for (uint16_t f = 0; f < messages[i].field_count && messages[i].type < TYPES; f++) {
      const struct trp_field *field = &messages[i].fields[f];
      if (field->kind != TRP_FIELD_U32 || strcmp(field->name, "symbol") != 0) continue;
      e->symbol_offset[messages[i].type] = field->offset;
    }
  }
  e->symbol_offset[TRP_SUBSCRIBE] = e->symbol_offset[TRP_UNSUBSCRIBE] = 0;
  uint64_t period = tick_ms * TRP_NS_PER_MS;
  return trp_timer_start(self, period, period, 0, NULL);
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct engine *e = state;
  enum trp_err err;
  switch (msg->type) {
    case TRP_SUBSCRIBE:
      err = subscribe(self, e, msg->from, trp_msg_subscribe(msg));
      answer(self, msg->token, err, trp_err_text(err));
      break;
    case TRP_UNSUBSCRIBE:
      err = unsubscribe(self, e, msg->from, trp_msg_unsubscribe(msg));
      answer(self, msg->token, err, trp_err_text(err));
      break;
    case TRP_DOWN:
      owner_died(self, e, (struct trp_ref){trp_msg_down(msg)->ref});
      break;
    case TRP_TIMER:
      tick(self, e);
      break;
    case TRP_OPERATOR:
      if (msg->token != 0 && strcmp(trp_msg_operator(msg)->text, "stats") == 0) {
        answer_stats(self, e, msg->token);
        break;
      }
      publish(self, e, msg);
      break;
    default:
      publish(self, e, msg);
      break;
  }
  return TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)reason;
  struct engine *e = state;
  while (e->owner_count > 0) owner_died(self, e, e->owners[0]->ref);
  for (uint32_t k = 0; k <= TYPES; k++) free(e->lists[k].items);
  free(e->owners);
}

const struct trp_kind trp_event_engine_kind = {.name = "event_engine",
                                               .state_bytes = sizeof(struct engine),
                                               .start = start,
                                               .receive = receive,
                                               .end = end};
