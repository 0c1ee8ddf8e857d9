/* host_state.h - what host.c (the process's life) and host_calls.c (its actor's way out) share.
 *
 * Who writes what: `page`, `link`, `directory`, `system`: set before any thread runs. The ring of
 * senders: nng's thread before the letter, the actor's after it, so the mailbox orders them. The
 * rest: the actor's thread. */
#ifndef TRP_RUNTIME_HOST_STATE_H
#define TRP_RUNTIME_HOST_STATE_H

#include "runtime/directory.h"
#include "runtime/host.h"
#include "runtime/link.h"
#include "runtime/process_page.h"
#include "runtime/system.h"

enum { TRP_HOST_SENDERS = 2 * TRP_PROCESS_WINDOW };

struct trp_host {
  struct trp_process_page *page;
  struct trp_directory *directory;
  struct trp_link *link;
  pthread_mutex_t taking; /* of frames: nng may call from two threads at once */
  struct trp_system *system;
  struct {
    uint64_t from, token;
  } senders[TRP_HOST_SENDERS];
  uint64_t letters; /* that came */
  uint64_t last_watch;
  uint64_t *dropped_watches; /* ids of which nothing more is to be heard */
  size_t dropped_count, dropped_room;
  uint64_t lines_lost;
  /* what the slot's side has last been told */
  bool told_started, told_owing, told_pill;
  uint64_t told_handled;
};

/* A node of the lane with a message in it. */
struct trp_news {
  struct trp_node node;
  uint16_t type;
  uint32_t bytes;
  alignas(16) unsigned char body[];
};

enum trp_err trp_host_frame(struct trp_host *host, const struct trp_frame_head *head,
                            const void *body, bool must);

#endif
