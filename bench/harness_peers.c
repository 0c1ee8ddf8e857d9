#include "bench/harness_peers.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/harness_run.h"

enum { BUILD_WITHIN_S = 1200, NEEDS_PACKAGE = 3 };

bool harness_list_has(const char *list, const char *name) {
  if (list == NULL) return true;
  size_t length = strlen(name);
  for (const char *at = list; *at != '\0'; at += *at == ',') {
    size_t word = strcspn(at, ",");
    if (word == length && memcmp(at, name, length) == 0) return true;
    at += word;
  }
  return false;
}

static int by_name(const void *a, const void *b) {
  const struct harness_peer_entry *x = a, *y = b;
  return strcmp(x->name, y->name);
}

/* The first name of the list that no peer has. */
static const char *find_stranger(const struct harness_peers *peers, const char *list) {
  static char name[HARNESS_NAME_MAX];
  if (list == NULL || strcmp(list, "none") == 0) return NULL;
  for (const char *at = list; *at != '\0'; at += *at == ',') {
    size_t word = strcspn(at, ",");
    snprintf(name, sizeof name, "%.*s", (int)word, at);
    at += word;
    bool known = false;
    for (size_t i = 0; i < peers->count; i++) known |= strcmp(peers->entries[i].name, name) == 0;
    if (!known && name[0] != '\0') return name;
  }
  return NULL;
}

const char *harness_peers_find(struct harness_peers *peers, const char *folder, const char *list) {
  memset(peers, 0, sizeof *peers);
  DIR *dir = opendir(folder);
  struct dirent *entry;
  while (dir != NULL && (entry = readdir(dir)) != NULL && peers->count < HARNESS_PEERS_MAX) {
    char path[HARNESS_PATH_MAX];
    if (entry->d_name[0] == '.' || strlen(entry->d_name) >= HARNESS_NAME_MAX) continue;
    if (!harness_list_has(list, entry->d_name)) continue;
    snprintf(path, sizeof path, "%s/%s/build", folder, entry->d_name);
    if (access(path, X_OK) != 0) continue;
    struct harness_peer_entry *peer = &peers->entries[peers->count++];
    snprintf(peer->name, sizeof peer->name, "%.*s", HARNESS_NAME_MAX - 1, entry->d_name);
  }
  if (dir != NULL) closedir(dir);
  qsort(peers->entries, peers->count, sizeof *peers->entries, by_name);
  return find_stranger(peers, list);
}

/* The first line it said, wherever it said it. */
static const char *first_words(struct harness_run *run) {
  char *said = run->said[0] != '\0' ? run->said : run->error;
  said[strcspn(said, "\n")] = '\0';
  return said;
}

static void build_one(struct harness_peers *peers, struct harness_peer_entry *peer,
                      const char *folder, struct harness_results *results) {
  static struct harness_run run;
  char script[HARNESS_PATH_MAX], out[HARNESS_PATH_MAX + HARNESS_NAME_MAX], text[256];
  snprintf(script, sizeof script, "%s/%s/build", folder, peer->name);
  snprintf(out, sizeof out, "%s/%s", peers->built, peer->name);
  fprintf(stderr, "  build   %s\n", out);
  peer->ready = harness_run_any(
      &(struct harness_command){.program = script, .args = out, .timeout_s = BUILD_WITHIN_S}, &run);
  if (peer->ready) return;
  if (run.status == NEEDS_PACKAGE) {
    snprintf(text, sizeof text, "not measured: %.160s ('make bench-deps' installs what Debian has)",
             first_words(&run));
  } else {
    snprintf(text, sizeof text, "not built: %.200s", run.trouble);
  }
  fprintf(stderr, "  %s: %s\n", peer->name, text);
  harness_results_trouble(results, NULL, peer->name, text);
}

void harness_peers_build(struct harness_peers *peers, const char *folder, const char *out,
                         struct harness_results *results) {
  snprintf(peers->built, sizeof peers->built, "%s/peers", out);
  for (size_t i = 0; i < peers->count && !harness_interrupted(); i++) {
    build_one(peers, &peers->entries[i], folder, results);
  }
}

bool harness_peer_program(const struct harness_peers *peers, size_t i,
                          const struct harness_question *question, char *path, size_t size) {
  if (!peers->entries[i].ready) return false;
  snprintf(path, size, "%s/%s/%s", peers->built, peers->entries[i].name,
           harness_question_program(question));
  return access(path, X_OK) == 0;
}
