#include "adapters/control_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/folder.h"

static const char SUFFIX[] = ".sock";

__attribute__((format(printf, 4, 5))) static enum trp_err fail(enum trp_err err, char *why,
                                                               size_t why_bytes, const char *format,
                                                               ...) {
  va_list list;
  va_start(list, format);
  if (why != NULL && why_bytes > 0) vsnprintf(why, why_bytes, format, list);
  va_end(list);
  return err;
}

/* ---- the lock -------------------------------------------------------------------------------- */

/* Whether the path still names the file that is open: its last holder may have removed it between
 * our open and our lock. */
static bool is_same_file(int fd, const char *path) {
  struct stat open_one, named_one;
  return fstat(fd, &open_one) == 0 && lstat(path, &named_one) == 0 &&
         open_one.st_dev == named_one.st_dev && open_one.st_ino == named_one.st_ino;
}

static enum trp_err take_lock(struct trp_control_path *path, char *why, size_t why_bytes) {
  enum { ATTEMPTS = 5 };
  for (int i = 0; i < ATTEMPTS; i++) {
    int fd = open(path->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
      return fail(TRP_SYSTEM, why, why_bytes, "%s cannot be opened: %s", path->lock,
                  strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      int error = errno;
      close(fd);
      if (error == EWOULDBLOCK) {
        return fail(TRP_EXISTS, why, why_bytes, "a system of this name is running: %s",
                    path->socket);
      }
      return fail(TRP_SYSTEM, why, why_bytes, "%s cannot be locked: %s", path->lock,
                  strerror(error));
    }
    if (is_same_file(fd, path->lock)) {
      path->lock_fd = fd;
      return TRP_OK;
    }
    close(fd);
  }
  return fail(TRP_BUSY, why, why_bytes, "%s comes and goes", path->lock);
}

/* With the lock in hand, a socket at the path is a dead system's. */
static enum trp_err clear_socket(const struct trp_control_path *path, char *why, size_t why_bytes) {
  struct stat st;
  if (lstat(path->socket, &st) != 0) {
    if (errno == ENOENT) return TRP_OK;
    return fail(TRP_SYSTEM, why, why_bytes, "%s: %s", path->socket, strerror(errno));
  }
  if (!S_ISSOCK(st.st_mode)) {
    return fail(TRP_EXISTS, why, why_bytes, "%s is in the way, and it is no socket", path->socket);
  }
  if (unlink(path->socket) != 0) {
    return fail(TRP_SYSTEM, why, why_bytes, "%s cannot be removed: %s", path->socket,
                strerror(errno));
  }
  return TRP_OK;
}

enum trp_err trp_control_path_open(struct trp_control_path *path, const char *system, char *why,
                                   size_t why_bytes) {
  char folder[TRP_FOLDER_BYTES];
  *path = (struct trp_control_path){.lock_fd = -1};
  if (system[0] == '\0' || system[0] == '.' || strchr(system, '/') != NULL) {
    return fail(TRP_INVALID, why, why_bytes, "'%s' cannot be a file's name", system);
  }
  if (!trp_folder_at(0, folder)) {
    return fail(TRP_TOO_BIG, why, why_bytes, "the path of the runtime directory is too long");
  }
  struct trp_control_path made = {.lock_fd = -1};
  int socket = snprintf(made.socket, sizeof made.socket, "%s/%s%s", folder, system, SUFFIX);
  int lock = snprintf(made.lock, sizeof made.lock, "%s/%s.lock", folder, system);
  if (socket >= (int)sizeof made.socket || lock >= (int)sizeof made.lock) {
    return fail(TRP_TOO_BIG, why, why_bytes, "%s/%s%s is too long for a socket", folder, system,
                SUFFIX);
  }
  enum trp_err err = trp_folder_make(folder, why, why_bytes);
  if (err == TRP_OK) err = take_lock(&made, why, why_bytes);
  if (err != TRP_OK) return err;
  err = clear_socket(&made, why, why_bytes);
  if (err != TRP_OK) {
    unlink(made.lock);
    close(made.lock_fd);
    return err;
  }
  *path = made;
  return TRP_OK;
}

void trp_control_path_unlink(const struct trp_control_path *path) {
  if (path->lock_fd < 0) return;
  unlink(path->socket);
  unlink(path->lock);
}

void trp_control_path_close(struct trp_control_path *path) {
  if (path->lock_fd < 0) return;
  trp_control_path_unlink(path); /* the lock's file goes while it is held: see is_same_file */
  close(path->lock_fd);
  path->lock_fd = -1;
}

/* An accepted socket has the name of the one that listened. */
size_t trp_control_path_connections(const struct trp_control_path *path) {
  enum { LOOKED_AT = 1024 };
  size_t count = 0;
  for (int fd = 0; fd < LOOKED_AT; fd++) {
    struct sockaddr_un name = {.sun_family = AF_UNSPEC};
    socklen_t size = sizeof name - 1; /* keeps the path terminated */
    int listens = 0;
    socklen_t listens_size = sizeof listens;
    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0) continue;
    if (name.sun_family != AF_UNIX || strcmp(name.sun_path, path->socket) != 0) continue;
    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size);
    count += listens == 0;
  }
  return count;
}

/* ---- looking for others ---------------------------------------------------------------------- */

enum trp_err trp_control_path_probe(const char *socket_path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct stat st;
  if (strlen(socket_path) >= sizeof address.sun_path) return TRP_INVALID;
  if (stat(socket_path, &st) != 0) return errno == EACCES ? TRP_NOT_ALLOWED : TRP_NO_ACTOR;
  if (!S_ISSOCK(st.st_mode)) return TRP_INVALID;
  strcpy(address.sun_path, socket_path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return TRP_SYSTEM;
  int failed = connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ? errno : 0;
  close(fd);
  switch (failed) {
    case 0:
    case EAGAIN:
      return TRP_OK; /* EAGAIN: so many are waiting there that it must live */
    case EACCES:
    case EPERM:
      return TRP_NOT_ALLOWED;
    case ENOENT:
      return TRP_NO_ACTOR;
    default:
      return TRP_CONNECT;
  }
}

static bool is_socket_name(const char *name) {
  size_t length = strlen(name), suffix = sizeof SUFFIX - 1;
  return length > suffix && strcmp(name + length - suffix, SUFFIX) == 0;
}

static size_t find_in(const char *folder, char (*sockets)[TRP_SOCKET_PATH_BYTES], size_t room) {
  enum { ENTRIES_MAX = 4096 }; /* of a folder that somebody filled with other things */
  if (!trp_folder_is_ours_alone(folder)) return 0;
  DIR *directory = opendir(folder);
  if (directory == NULL) return 0;
  size_t count = 0;
  for (int i = 0; i < ENTRIES_MAX && count < room; i++) {
    const struct dirent *entry = readdir(directory);
    if (entry == NULL) break;
    if (!is_socket_name(entry->d_name)) continue;
    int length = snprintf(sockets[count], sizeof *sockets, "%s/%s", folder, entry->d_name);
    if (length >= (int)sizeof *sockets) continue;
    if (trp_control_path_probe(sockets[count]) == TRP_OK) count++;
  }
  closedir(directory);
  return count;
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

size_t trp_control_path_find(char (*sockets)[TRP_SOCKET_PATH_BYTES], char *looked,
                             size_t looked_bytes) {
  char folder[TRP_FOLDER_BYTES];
  size_t count = 0, said = 0;
  if (looked != NULL && looked_bytes > 0) looked[0] = '\0';
  for (int i = 0; i < TRP_FOLDERS && trp_folder_at(i, folder); i++) {
    count += find_in(folder, sockets + count, TRP_SOCKETS_MAX - count);
    if (looked == NULL || said >= looked_bytes) continue;
    int more = snprintf(looked + said, looked_bytes - said, "%s%s", i > 0 ? ", " : "", folder);
    said += more > 0 ? (size_t)more : 0;
  }
  qsort(sockets, count, sizeof *sockets, by_name);
  return count;
}
