#include "runtime/fdcount.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The next entry of a folder whose entries are numbers; false at its end. */
static bool next_number(DIR *folder, int *number) {
  const struct dirent *entry;
  while ((entry = readdir(folder)) != NULL) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    *number = (int)strtol(entry->d_name, NULL, 10);
    return true;
  }
  return false;
}

static void read_target(int fd, char *out, size_t bytes) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(path, out, bytes - 1);
  out[n > 0 ? n : 0] = '\0';
}

size_t trp_fd_list(struct trp_fd *out, size_t max) {
  DIR *folder = opendir("/proc/self/fd");
  if (folder == NULL) return 0;
  size_t count = 0;
  int fd;
  while (next_number(folder, &fd)) {
    if (fd == dirfd(folder)) continue;
    if (count < max) {
      out[count].fd = fd;
      read_target(fd, out[count].target, sizeof out[count].target);
    }
    count++;
  }
  closedir(folder);
  return count;
}

size_t trp_fd_count(void) { return trp_fd_list(NULL, 0); }

size_t trp_task_list(int *out, size_t max) {
  DIR *folder = opendir("/proc/self/task");
  if (folder == NULL) return 0;
  size_t count = 0;
  int tid;
  while (next_number(folder, &tid)) {
    if (count < max) out[count] = tid;
    count++;
  }
  closedir(folder);
  return count;
}

size_t trp_task_count(void) { return trp_task_list(NULL, 0); }
