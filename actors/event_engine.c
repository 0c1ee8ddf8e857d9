#include "actors/event_engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/event_routes.h"

enum {
  /* Of so many subscriptions a change is shown at once; of more, once for a batch of changes where
   * nobody waits for an answer: a snapshot is made anew each time. */
  SHOWN_AT_ONCE = 1024
};

struct owner { /* one subscriber, however many subscriptions it has */
  struct trp_ref ref;
  uint64_t monitor;
  uint32_t subscriptions;
  uint64_t got;  /* the last event it was given: each comes once */
  uint64_t mark; /* the last list it was found in, while routes are made */
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
  struct list lists[TRP_ROUTES_LISTS];
  uint32_t symbol_offset[TRP_ROUTES_TYPES];
  struct owner **owners;
  uint32_t owner_count, owner_room;
  uint32_t subscriptions, subscriptions_max;
  uint64_t events, delivered, refused, ticks;
  uint64_t marks;
  bool changed; /* the routes shown are not those that are */
};

static struct list *list_of(struct engine *e, uint32_t event) {
  return &e->lists[trp_routes_list(event)];
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
  e->changed = true;
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
  e->changed = true;
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
  for (uint32_t k = 0; k < TRP_ROUTES_LISTS; k++) {
    for (uint32_t i = e->lists[k].count; i-- > 0;) {
      if (e->lists[k].items[i].owner == owner) remove_at(self, e, &e->lists[k], i);
    }
  }
  drop_owner(self, e, owner);
}

/* ---- routes: the subscriptions, shown to publishers that deliver by themselves ---- */

static uint32_t fill_list(struct engine *e, uint32_t k, struct trp_route *out) {
  uint64_t mark = ++e->marks;
  for (uint32_t i = 0; i < e->lists[k].count; i++) {
    const struct subscription *item = &e->lists[k].items[i];
    struct owner *owner = item->owner;
    bool again = k == 0 ? owner->subscriptions > 1 : owner->mark == mark;
    owner->mark = mark;
    out[i] = (struct trp_route){
        .who = owner->ref, .event = item->event, .symbol = item->symbol, .again = again};
  }
  return e->lists[k].count;
}

static enum trp_err show(struct trp_self *self, struct engine *e) {
  size_t bytes = sizeof(struct trp_routes) + e->subscriptions * sizeof(struct trp_route);
  struct trp_routes *routes = malloc(bytes);
  if (routes == NULL) return TRP_NO_MEMORY;
  memcpy(routes->symbol_offset, e->symbol_offset, sizeof routes->symbol_offset);
  uint32_t filled = 0;
  for (uint32_t k = 0; k < TRP_ROUTES_LISTS; k++) {
    routes->from[k] = filled;
    filled += fill_list(e, k, &routes->items[filled]);
  }
  routes->from[TRP_ROUTES_LISTS] = filled;
  enum trp_err err = trp_board_show(self, routes, bytes);
  free(routes);
  if (err == TRP_OK) e->changed = false;
  return err;
}

/* Without memory to show what has changed the engine cannot go on: others would deliver by what is
 * no longer so. */
static enum trp_err show_changes(struct trp_self *self, struct engine *e, bool at_once) {
  if (!e->changed) return TRP_OK;
  if (at_once || e->subscriptions <= SHOWN_AT_ONCE) return show(self, e);
  trp_notify(trp_self_system(self), trp_self_ref(self));
  return TRP_OK;
}

/* ---- events ---- */

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
  uint32_t symbol = trp_routes_symbol(e->symbol_offset, msg->type, msg->body, msg->bytes);
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
  trp_routes_symbol_offsets(e->symbol_offset);
  uint64_t period = tick_ms * TRP_NS_PER_MS;
  enum trp_err err = show(self, e);
  return err != TRP_OK ? err : trp_timer_start(self, period, period, 0, NULL);
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct engine *e = state;
  enum trp_err err, shown = TRP_OK;
  switch (msg->type) {
    case TRP_SUBSCRIBE:
      err = subscribe(self, e, msg->from, trp_msg_subscribe(msg));
      shown = show_changes(self, e, msg->token != 0); /* before it is answered */
      answer(self, msg->token, err, trp_err_text(err));
      break;
    case TRP_UNSUBSCRIBE:
      err = unsubscribe(self, e, msg->from, trp_msg_unsubscribe(msg));
      shown = show_changes(self, e, msg->token != 0);
      answer(self, msg->token, err, trp_err_text(err));
      break;
    case TRP_DOWN:
      owner_died(self, e, (struct trp_ref){trp_msg_down(msg)->ref});
      shown = show_changes(self, e, false);
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
  return shown;
}

static enum trp_err ready(struct trp_self *self, void *state) {
  return show_changes(self, state, true);
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)reason;
  struct engine *e = state;
  while (e->owner_count > 0) owner_died(self, e, e->owners[0]->ref);
  for (uint32_t k = 0; k < TRP_ROUTES_LISTS; k++) free(e->lists[k].items);
  free(e->owners);
}

const struct trp_kind trp_event_engine_kind = {.name = "event_engine",
                                               .state_bytes = sizeof(struct engine),
                                               .start = start,
                                               .receive = receive,
                                               .ready = ready,
                                               .end = end};
