#include "actors/publisher.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/event_routes.h"

#define SETTLE_NS                                                                                  \
  (60 * TRP_NS_PER_S) /* an engine that lives and stays silent for longer is stuck */

#define OWED_NS (10 * TRP_NS_PER_S) /* so long do subscribers have to come back */

static void lose(struct trp_publisher *p, enum trp_err why) {
  if (p->lost++ == 0) p->why = why;
}

/* ---- gaps ---- */

static struct trp_event_gap gap_of(struct trp_self *self, const struct trp_publisher *p,
                                   uint64_t lost) {
  struct trp_event_gap gap = {.lost = lost, .reason = (uint32_t)p->why};
  snprintf(gap.publisher, sizeof gap.publisher, "%s", trp_self_name(self));
  return gap;
}

/* The world has been told, or cannot be told better. */
static void note_gap(struct trp_self *self, struct trp_publisher *p) {
  struct trp_event_gap gap = gap_of(self, p, p->lost);
  trp_journal(self, TRP_EVENT_GAP, &gap, sizeof gap);
  trp_log(self, TRP_LOG_WARN, "publisher.gap", "lost=%" PRIu64 " reason=%s", p->lost,
          trp_err_name(p->why));
  p->lost = 0;
  p->died = false;
}

/* True where there is no gap to tell, or it has been told. */
static bool tell_gap(struct trp_self *self, struct trp_publisher *p) {
  if (p->lost == 0 && !p->died) return true;
  struct trp_event_gap gap = gap_of(self, p, p->lost);
  if (trp_send(self, p->engine, TRP_EVENT_GAP, &gap, sizeof gap) != TRP_OK) return false;
  note_gap(self, p);
  return true;
}

/* ---- direct: who is owed a gap ---- */

static uint32_t count_routes(const struct trp_routes *routes, struct trp_ref who) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < routes->from[TRP_ROUTES_LISTS]; i++) {
    count += trp_ref_equal(routes->items[i].who, who);
  }
  return count;
}

static struct trp_owed *find_owed(struct trp_publisher *p, struct trp_ref who) {
  for (uint32_t i = 0; i < p->owed_count; i++) {
    if (trp_ref_equal(p->owed[i].who, who)) return &p->owed[i];
  }
  return NULL;
}

static struct trp_owed *new_owed(struct trp_publisher *p, struct trp_ref who) {
  if (p->owed_count == p->owed_room) {
    uint32_t room = p->owed_room == 0 ? 8 : p->owed_room * 2;
    struct trp_owed *owed = realloc(p->owed, room * sizeof *owed);
    if (owed == NULL) return NULL;
    p->owed = owed;
    p->owed_room = room;
  }
  struct trp_owed *owed = &p->owed[p->owed_count++];
  *owed = (struct trp_owed){.who = who, .from = p->offered};
  return owed;
}

/* The routes are gone, with the engine. Who is still owed the gap before gets both in one. */
static void owe_all(struct trp_self *self, struct trp_publisher *p,
                    const struct trp_routes *routes) {
  struct trp_routes_walk walk;
  struct trp_ref who;
  p->died = true;
  for (uint32_t i = 0; i < p->owed_count; i++) p->owed[i].now = 0;
  trp_routes_begin(routes, &walk, TRP_EVENT_GAP, 0);
  while (trp_routes_next(routes, &walk, &who)) {
    struct trp_owed *owed = find_owed(p, who);
    if (owed == NULL) owed = new_owed(p, who);
    if (owed == NULL) {
      trp_log(self, TRP_LOG_WARN, "publisher.gap_untold", "error=%s", trp_err_name(TRP_NO_MEMORY));
      return;
    }
    uint32_t before = count_routes(routes, who);
    if (before > owed->before) owed->before = before;
  }
}

/* True where it is subscribed again as it was. With each subscription that comes back it is told
 * what that one has missed. */
static bool pay(struct trp_self *self, struct trp_publisher *p, struct trp_owed *owed,
                const struct trp_routes *routes) {
  uint32_t now = count_routes(routes, owed->who);
  if (now > owed->now) {
    struct trp_event_gap gap = gap_of(self, p, p->offered - owed->from);
    gap.reason = TRP_DEAD;
    /* A refusal is the subscriber's own policy at work, and counted in its account. */
    (void)!trp_send(self, owed->who, TRP_EVENT_GAP, &gap, sizeof gap);
    owed->now = now;
  }
  return now >= owed->before;
}

/* Who wants less than before is told no more once it has had the time to say so. */
static void pay_all(struct trp_self *self, struct trp_publisher *p,
                    const struct trp_routes *routes) {
  uint32_t left = 0;
  if (trp_now_ns(self) - p->back_ns > OWED_NS) p->owed_count = 0;
  for (uint32_t i = 0; i < p->owed_count; i++) {
    if (!pay(self, p, &p->owed[i], routes)) p->owed[left++] = p->owed[i];
  }
  p->owed_count = left;
}

/* ---- direct: routes ---- */

static void look(struct trp_self *self, struct trp_publisher *p) {
  struct trp_view now;
  trp_view_renew(&p->routes, &now);
  if (now.body == NULL && p->routes.body != NULL) owe_all(self, p, p->routes.body);
  if (now.body != NULL && p->routes.body == NULL) p->back_ns = trp_now_ns(self);
  trp_view_close(&p->routes);
  p->routes = now;
  if (now.body != NULL && p->owed_count > 0) pay_all(self, p, now.body);
}

/* An engine's life: its routes, and the edge by which this actor is upstream of its subscribers. */
static void follow(struct trp_self *self, struct trp_publisher *p, struct trp_ref engine) {
  if (p->routes.body != NULL) owe_all(self, p, p->routes.body);
  trp_view_close(&p->routes);
  if (!trp_view_open(self, &p->routes, engine)) return;  /* all is lost, and counted */
  (void)!trp_edge_add(self, trp_self_ref(self), engine); /* a dead one needs none */
  look(self, p);
}

static void give(struct trp_self *self, struct trp_publisher *p, const struct trp_msg *msg) {
  const struct trp_routes *routes = p->routes.body;
  struct trp_routes_walk walk;
  struct trp_ref who;
  uint32_t symbol = trp_routes_symbol(routes->symbol_offset, msg->type, msg->body, msg->bytes);
  trp_routes_begin(routes, &walk, msg->type, symbol);
  /* A refusal is the subscriber's own policy at work, and counted in its account. */
  while (trp_routes_next(routes, &walk, &who)) (void)!trp_forward(self, who, msg);
}

static void publish_direct(struct trp_self *self, struct trp_publisher *p, uint16_t type,
                           const void *body, size_t bytes) {
  struct trp_msg msg;
  if (trp_view_is_old(&p->routes)) look(self, p);
  p->offered++;
  enum trp_err err = p->routes.body == NULL ? TRP_DEAD : trp_share_begin(&msg, type, body, bytes);
  if (err != TRP_OK) {
    lose(p, err);
    return;
  }
  give(self, p, &msg);
  trp_share_end(&msg);
  p->published++;
}

/* ---- both ---- */

enum trp_err trp_publisher_start(struct trp_self *self, struct trp_publisher *p,
                                 const char *engine) {
  memset(p, 0, sizeof *p);
  p->engine = trp_whereis(self, engine); /* at once: its UP comes only after this turn */
  return trp_watch(self, engine, &p->watch);
}

enum trp_err trp_publisher_start_direct(struct trp_self *self, struct trp_publisher *p,
                                        const char *engine) {
  enum trp_err err = trp_publisher_start(self, p, engine);
  p->direct = true;
  if (err == TRP_OK && !trp_ref_is_nobody(p->engine)) follow(self, p, p->engine);
  return err;
}

void trp_publisher_end(struct trp_publisher *p) {
  trp_view_close(&p->routes);
  free(p->owed);
  p->owed = NULL;
  p->owed_count = p->owed_room = 0;
}

uint64_t trp_publisher_settle(struct trp_self *self, struct trp_publisher *p) {
  static const struct trp_operator question = {.text = "stats"};
  uint64_t correlation = 0;
  if (!p->direct) return 0;
  enum trp_err err =
      trp_ask(self, p->engine, TRP_OPERATOR, &question, sizeof question, SETTLE_NS, &correlation);
  return err == TRP_OK ? correlation : 0;
}

void trp_publish(struct trp_self *self, struct trp_publisher *p, uint16_t type, const void *body,
                 size_t bytes) {
  if (p->direct) {
    publish_direct(self, p, type, body, bytes);
    return;
  }
  if (trp_ref_is_nobody(p->engine)) {
    lose(p, TRP_DEAD);
    return;
  }
  if (!tell_gap(self, p)) {
    lose(p, p->why);
    return;
  }
  enum trp_err err = trp_send(self, p->engine, type, body, bytes);
  if (err == TRP_OK) p->published++;
  if (err != TRP_OK) lose(p, err);
}

static void engine_came(struct trp_self *self, struct trp_publisher *p, struct trp_ref engine) {
  bool known = trp_ref_equal(p->engine, engine);
  p->engine = engine;
  if (!p->direct) {
    tell_gap(self, p);
    return;
  }
  if (!known || p->routes.body == NULL) follow(self, p, engine);
  if (p->lost > 0 || p->died) note_gap(self, p);
}

bool trp_publisher_take(struct trp_self *self, struct trp_publisher *p, const struct trp_msg *msg) {
  const struct trp_up *up = trp_msg_up(msg);
  const struct trp_down *down = trp_msg_down(msg);
  if (up != NULL && up->monitor == p->watch) {
    engine_came(self, p, (struct trp_ref){up->ref});
    return true;
  }
  if (down == NULL || down->monitor != p->watch) return false;
  p->engine = TRP_NOBODY;
  p->died = true; /* mail it had accepted died with it, so there is a gap even if lost stays 0 */
  if (p->lost == 0) p->why = TRP_DEAD;
  return true;
}
