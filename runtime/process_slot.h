/* process_slot.h - what process.c (the process) and process_proxy.c (the kind that stands for it)
 * share.
 *
 * `lock` guards pidfd and pid against who kills from another thread. Everything else is the
 * keeper's, but for the eventfd, which anybody may write. */
#ifndef TRP_RUNTIME_PROCESS_SLOT_H
#define TRP_RUNTIME_PROCESS_SLOT_H

#include "runtime/link.h"
#include "runtime/process.h"
#include "runtime/process_page.h"

/* An ask or a watch that the proxy holds in the slot's name, and its number in the process. */
struct trp_pairing {
  struct trp_pairing *next;
  uint64_t here, there;
};

struct trp_process {
  struct trp_actor *actor;
  const struct trp_kind *kind; /* of the actor in the process */
  const void *args;
  size_t args_bytes;
  struct trp_loop loop;
  int wake_fd;
  _Atomic bool waiting; /* the keeper waits inside a turn: frames are to wake it too */

  pthread_mutex_t lock;
  int pidfd; /* -1: none runs */
  _Atomic int pid;
  _Atomic uint64_t in_link; /* the keeper's */

  /* one life's */
  struct trp_process_page *page;
  size_t page_bytes;
  char path[TRP_FOLDER_BYTES]; /* "": unlinked */
  int line;                    /* -1: closed */
  struct trp_link *link;
  struct trp_pairing *asks, *watches;
  uint32_t pairings;
  bool ready, started, ended, dismissed, exited;
  bool owing, pill_pending; /* each a hold */
  bool stuck;               /* killed for a turn that did not return */
  int status;               /* of wait, once exited */
  uint64_t handled;         /* acknowledged */
  uint64_t seen_turns, seen_ns;
  uint64_t oom_kills; /* of the kernel, before it began */
  char account[96];   /* what it used */
  char stack[1536];
};

/* ---- process.c ---- */

/* Makes the page and spawns. Errors: NO_MEMORY, SYSTEM, NOT_ALLOWED; `why` says it in words. */
TRP_MUST_USE enum trp_err trp_process_spawn(struct trp_process *p, char *why, size_t why_bytes);

/* The path has served, or never will. */
void trp_process_unlink(struct trp_process *p);

/* Takes the status of one that has died, without waiting; true where it has, now or before. */
bool trp_process_reap(struct trp_process *p);

/* Says a word to it. */
void trp_process_say(struct trp_process *p, char word);

/* Waits for a word, a frame, its death or a wake-up, at most until then. */
void trp_process_wait(struct trp_process *p, uint64_t until_ns);

/* Has its stack written, with a bounded wait, and copies it. */
void trp_process_ask_stack(struct trp_process *p);
void trp_process_copy_stack(struct trp_process *p);

/* It was killed and does not die: lets go of it, and leaves it on the account. */
void trp_process_disown(struct trp_process *p);

/* How it died, in words. */
void trp_process_obituary(const struct trp_process *p, char *out, size_t bytes);

/* Gives back all that one life had; it must have died. */
void trp_process_clear(struct trp_process *p);

/* ---- process_proxy.c ---- */

extern const struct trp_kind trp_process_proxy;

/* Whether the loop should give the proxy a turn, and until when it need not be looked at. */
bool trp_process_has_news(struct trp_process *p, uint64_t *look_ns);

#endif
