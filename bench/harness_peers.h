/* harness_peers.h - the peers: a folder each under bench/peers, with a script `build` that makes
 * its programs, or ends with 3 and says which package it needs. Thread: one. */
#ifndef TRP_BENCH_HARNESS_PEERS_H
#define TRP_BENCH_HARNESS_PEERS_H

#include "bench/harness_results.h"

enum { HARNESS_PEERS_MAX = 16, HARNESS_PATH_MAX = 512 };

struct harness_peer_entry {
  char name[HARNESS_NAME_MAX];
  bool ready;
};

struct harness_peers {
  char built[HARNESS_PATH_MAX]; /* the folder of the built programs' folders */
  size_t count;
  struct harness_peer_entry entries[HARNESS_PEERS_MAX];
};

/* Finds the peers of a folder, in the order of their names, of those the ones that are named in a
 * list "a,b" (NULL: all; "none": none). NULL, or a name of the list that is no peer's. */
const char *harness_peers_find(struct harness_peers *peers, const char *folder, const char *list);

/* Builds each into out/peers/NAME; notes what is missing or fails as a trouble. */
void harness_peers_build(struct harness_peers *peers, const char *folder, const char *out,
                         struct harness_results *results);

/* Whether a peer answers a question; `path` gets its program. */
bool harness_peer_program(const struct harness_peers *peers, size_t i,
                          const struct harness_question *question, char *path, size_t size);

/* Whether a list "a,b" has this name; NULL has all. */
bool harness_list_has(const char *list, const char *name);

#endif
