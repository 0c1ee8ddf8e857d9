#include "runtime/board.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/actor.h"
#include "runtime/check.h"
#include "runtime/system.h"

struct sheet {
  uint64_t owner;   /* who shows it */
  uint32_t holders; /* the board, and each view; under the board's lock */
  size_t bytes;
  alignas(16) unsigned char body[];
};

struct trp_board {
  struct trp_board *next;
  uint32_t slot;
  pthread_mutex_t lock;
  struct sheet *sheet;      /* under the lock; NULL: nothing */
  _Atomic uint64_t version; /* counts changes; written under the lock */
};

void trp_boards_init(struct trp_boards *boards) {
  pthread_mutex_init(&boards->lock, NULL);
  boards->first = NULL;
}

void trp_boards_fini(struct trp_boards *boards) {
  while (boards->first != NULL) {
    struct trp_board *board = boards->first;
    boards->first = board->next;
    ASSERT(board->sheet == NULL);
    pthread_mutex_destroy(&board->lock);
    free(board);
  }
  pthread_mutex_destroy(&boards->lock);
}

static struct trp_board *new_board(uint32_t slot) {
  struct trp_board *board = calloc(1, sizeof *board);
  if (board == NULL) return NULL;
  board->slot = slot;
  pthread_mutex_init(&board->lock, NULL);
  atomic_init(&board->version, 1); /* a new view's 0 is a change */
  return board;
}

/* The slot's, made where there is none and `make`; else NULL. */
static struct trp_board *board_of(struct trp_system *system, uint32_t slot, bool make) {
  struct trp_boards *boards = &system->boards;
  pthread_mutex_lock(&boards->lock);
  struct trp_board *board = boards->first;
  while (board != NULL && board->slot != slot) board = board->next;
  if (board == NULL && make && (board = new_board(slot)) != NULL) {
    board->next = boards->first;
    boards->first = board;
  }
  pthread_mutex_unlock(&boards->lock);
  return board;
}

/* Under the lock. */
static void let_go(struct sheet *sheet) {
  if (sheet != NULL && --sheet->holders == 0) free(sheet);
}

static void hang(struct trp_board *board, struct sheet *sheet) {
  pthread_mutex_lock(&board->lock);
  struct sheet *before = board->sheet;
  board->sheet = sheet;
  let_go(before);
  /* Relaxed: who sees the new count takes the lock to look. Who has heard of the change by a
   * message, which orders it, sees the count too. */
  atomic_fetch_add_explicit(&board->version, 1, memory_order_relaxed);
  pthread_mutex_unlock(&board->lock);
}

enum trp_err trp_board_show(struct trp_self *self, const void *bytes, size_t size) {
  if (size > TRP_BOARD_MAX || (size > 0 && bytes == NULL)) return TRP_TOO_BIG;
  struct trp_board *board = board_of(self->actor->system, self->actor->index, true);
  struct sheet *sheet = board != NULL ? malloc(sizeof *sheet + size) : NULL;
  if (sheet == NULL) return TRP_NO_MEMORY;
  *sheet = (struct sheet){.owner = trp_self_ref(self).bits, .holders = 1, .bytes = size};
  if (size > 0) memcpy(sheet->body, bytes, size);
  self->shows = true;
  hang(board, sheet);
  return TRP_OK;
}

void trp_board_take_down(struct trp_actor *actor) {
  if (!actor->self.shows) return;
  actor->self.shows = false;
  struct trp_board *board = board_of(actor->system, actor->index, false);
  ASSERT(board != NULL);
  hang(board, NULL);
}

bool trp_view_open(struct trp_self *self, struct trp_view *view, struct trp_ref who) {
  *view = (struct trp_view){.who = who};
  struct trp_actor *actor = trp_actor_find(self->actor->system, who);
  if (actor != NULL) view->board = board_of(self->actor->system, actor->index, true);
  return view->board != NULL;
}

bool trp_view_is_old(const struct trp_view *view) {
  if (view->board == NULL) return false;
  return atomic_load_explicit(&view->board->version, memory_order_relaxed) != view->version;
}

void trp_view_renew(const struct trp_view *old, struct trp_view *view) {
  struct trp_board *board = old->board;
  *view = (struct trp_view){.who = old->who, .board = board};
  if (board == NULL) return;
  pthread_mutex_lock(&board->lock);
  view->version = atomic_load_explicit(&board->version, memory_order_relaxed);
  struct sheet *sheet = board->sheet;
  if (sheet != NULL && sheet->owner == view->who.bits) {
    sheet->holders++;
    view->sheet = sheet;
    view->bytes = sheet->bytes;
    view->body = sheet->body;
  }
  pthread_mutex_unlock(&board->lock);
}

void trp_view_close(struct trp_view *view) {
  if (view->sheet != NULL) {
    pthread_mutex_lock(&view->board->lock);
    let_go(view->sheet);
    pthread_mutex_unlock(&view->board->lock);
  }
  memset(view, 0, sizeof *view);
}
