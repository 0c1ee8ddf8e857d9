#include "runtime/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/actor.h"

struct trp_watch *trp_watch_open(struct trp_actor *watcher, struct trp_actor *target,
                                 uint64_t incarnation) {
  struct trp_watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return NULL;
  watch->node.kind = TRP_NODE_WATCH;
  watch->watcher = watcher;
  watch->watcher_life = watcher->self.incarnation;
  watch->target = target;
  watch->incarnation = incarnation;
  watch->told_up = incarnation;
  watch->id = ++watcher->self.last_watch_id;
  watch->mine_next = watcher->self.watches;
  if (watch->mine_next != NULL) watch->mine_next->mine_prev = watch;
  watcher->self.watches = watch;
  pthread_mutex_lock(&target->lock);
  watch->of_target_next = target->watchers;
  if (watch->of_target_next != NULL) watch->of_target_next->of_target_prev = watch;
  target->watchers = watch;
  pthread_mutex_unlock(&target->lock);
  trp_actor_post(watcher, &watch->node); /* there may be something to tell already */
  return watch;
}

void trp_watch_close(struct trp_watch *watch) {
  struct trp_actor *target = watch->target;
  pthread_mutex_lock(&target->lock);
  if (watch->of_target_prev != NULL) watch->of_target_prev->of_target_next = watch->of_target_next;
  if (watch->of_target_prev == NULL) target->watchers = watch->of_target_next;
  if (watch->of_target_next != NULL) watch->of_target_next->of_target_prev = watch->of_target_prev;
  pthread_mutex_unlock(&target->lock);
  if (watch->mine_prev != NULL) watch->mine_prev->mine_next = watch->mine_next;
  if (watch->mine_prev == NULL) watch->watcher->self.watches = watch->mine_next;
  if (watch->mine_next != NULL) watch->mine_next->mine_prev = watch->mine_prev;
  /* Posting happens under the target's lock, so after it `queued` is the last word. acquire: pairs
   * with the exchange in trp_lane_post. */
  if (!atomic_load_explicit(&watch->node.queued, memory_order_acquire)) {
    free(watch);
    return;
  }
  watch->closed = true;
}

void trp_watch_announce(struct trp_actor *target) {
  pthread_mutex_lock(&target->lock);
  for (struct trp_watch *w = target->watchers; w != NULL; w = w->of_target_next) {
    trp_actor_post(w->watcher, &w->node);
  }
  pthread_mutex_unlock(&target->lock);
}

bool trp_watch_read(struct trp_watch *watch, bool *is_up, struct trp_down *down,
                    struct trp_up *up) {
  struct trp_actor *target = watch->target;
  pthread_mutex_lock(&target->lock);
  uint64_t life = target->life;
  bool alive = target->alive, lives = alive && target->up;
  /* Only the last end's reason is known; of an older one no more than that it is over. */
  bool last = watch->told_up == (alive ? life - 1 : life);
  enum trp_err reason = last ? target->last_reason : TRP_DEAD;
  pthread_mutex_unlock(&target->lock);
  /* One that is still starting lives, too, for who monitors it. */
  if (watch->told_up != 0 && !(alive && life == watch->told_up)) {
    *down = (struct trp_down){.monitor = watch->id,
                              .ref = trp_actor_ref(target, watch->told_up).bits,
                              .incarnation = watch->told_up,
                              .reason = (uint32_t)reason};
    snprintf(down->name, sizeof down->name, "%s", target->name);
    watch->told_up = 0;
    *is_up = false;
    return true;
  }
  if (watch->incarnation != 0 || watch->told_up != 0 || !lives) return false;
  watch->told_up = life;
  *up = (struct trp_up){
      .monitor = watch->id, .ref = trp_actor_ref(target, life).bits, .incarnation = life};
  snprintf(up->name, sizeof up->name, "%s", target->name);
  *is_up = true;
  return true;
}
