/* process_page.h - what a slot and the process that its actor is placed in agree on: the page of
 * memory that both see, the descriptors that are inherited, and the frames on the link.
 *
 * The actor's block of the process lies in the page. So its counters, the record of its crash and
 * its count of turns are there when the process has been killed, and the slot's account is made
 * from them. A process that writes astray may have spoiled the page: the slot's side looks at
 * figures and copies texts within bounds, and follows no pointer in it.
 *
 * One page a life: made by the slot's side before the process, mapped by both. */
#ifndef TRP_RUNTIME_PROCESS_PAGE_H
#define TRP_RUNTIME_PROCESS_PAGE_H

#include "runtime/actor.h"
#include "runtime/folder.h"

/* Set in the environment of such a process, and of no other. */
#define TRP_PROCESS_VARIABLE "TRP_PROCESS"
#define TRP_PROCESS_MAGIC UINT64_C(0x65707570617274) /* says what the page is */

enum { /* descriptors in the process, beside the standard ones */
       TRP_PROCESS_PAGE_FD = 3,
       TRP_PROCESS_LINE_FD = 4, /* a socket whose other end the slot's side holds: see the words */
       TRP_PROCESS_DIRECTORY_FD = 5,
       TRP_PROCESS_FDS
};

/* Words of one byte on the line. Its closing says that the other side is gone. */
enum {
  TRP_WORD_READY = 'r', /* from the process: it listens, dial */
  TRP_WORD_STACK = 's', /* to it: write the stack of your turn into the page. From it: done */
  TRP_WORD_LEAVE = 'l'  /* to it: your last frame has come, exit */
};

enum { TRP_PROCESS_WINDOW = 128 }; /* letters that may be with the process, unacknowledged */

/* How a process exits that has said so before; any other way is a death. */
enum { TRP_PROCESS_EXIT_ENDED = 0, TRP_PROCESS_EXIT_BROKEN = 70 };

enum trp_frame_kind {
  /* to the process */
  TRP_FRAME_LETTER = 1, /* a: from, b: token of an ask, the body */
  TRP_FRAME_NEWS,       /* UP or DOWN, with the id of the process's own watch */
  TRP_FRAME_ANSWER,     /* a: the asker's token, b: from, the body */
  TRP_FRAME_PILL,       /* a: the soft deadline */
  TRP_FRAME_END,        /* end(), then ENDED */
  /* from the process */
  TRP_FRAME_STARTED,
  TRP_FRAME_STATUS,  /* a: letters handled, b: it owes something, c: the pill is taken */
  TRP_FRAME_ENDED,   /* the last: its life is over, how is in the page */
  TRP_FRAME_SEND,    /* a: to, the body */
  TRP_FRAME_ASK,     /* a: to, b: the asker's token, c: the time-out, the body */
  TRP_FRAME_CANCEL,  /* a: the asker's token */
  TRP_FRAME_REPLY,   /* a: the token that came with a letter, the body */
  TRP_FRAME_WATCH,   /* a: its id, the name as the body */
  TRP_FRAME_MONITOR, /* a: its id, b: who */
  TRP_FRAME_DEMONITOR,
  TRP_FRAME_EDGE_ADD, /* a: from, b: to */
  TRP_FRAME_EDGE_REMOVE,
  TRP_FRAME_LOG,     /* a: the level; the event and the text, each with its NUL */
  TRP_FRAME_JOURNAL, /* the body */
  TRP_FRAME_STOP     /* a: at once; the reason */
};

struct trp_process_page {
  /* by the slot's side */
  uint64_t magic;
  uint64_t bytes;
  char version[16];
  int parent;
  char system[TRP_NAME_MAX + 1], name[TRP_NAME_MAX + 1], kind[TRP_NAME_MAX + 1];
  char path[TRP_FOLDER_BYTES]; /* where to listen */
  struct trp_ref self;
  uint64_t seed;
  int log_level;
  bool allow_faults;
  uint32_t start_timeout_ms, budget_ms, turn_limit_ms, outbox_max;
  size_t args_bytes; /* 0: NULL */
  /* by the process */
  struct trp_crash crash; /* of its actor, whose block points here */
  char stack[1536];       /* of the crash, or of the turn that was asked about */
  alignas(64) struct trp_actor actor;
  alignas(64) unsigned char args[];
};

#endif
