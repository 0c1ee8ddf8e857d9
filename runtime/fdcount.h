/* fdcount.h - what the kernel says this process holds: descriptors and threads, from /proc/self.
 *
 * The other side of the account: what actors declare can be compared with it. Figures are of one
 * moment and may be old when they are read. Thread: any. */
#ifndef TRP_RUNTIME_FDCOUNT_H
#define TRP_RUNTIME_FDCOUNT_H

#include <stddef.h>

struct trp_fd {
  int fd;
  char target[64]; /* "socket:[1234]", a path, cut where longer */
};

/* Open descriptors, without the one that counts; 0 where /proc cannot be read. */
size_t trp_fd_count(void);

/* The first `max` of them in the kernel's order; returns how many there are. */
size_t trp_fd_list(struct trp_fd *out, size_t max);

/* Threads of the process, registered or not. */
size_t trp_task_count(void);

/* The first `max` thread ids in the kernel's order; returns how many there are. */
size_t trp_task_list(int *out, size_t max);

#endif
