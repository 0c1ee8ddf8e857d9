#include "runtime/service_socket.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/deadline.h"
#include "runtime/troupe.h"

static const uint64_t SEND_NS = 100 * TRP_NS_PER_MS;

enum trp_err trp_service_socket_open(struct trp_service_socket *s, const char *path) {
  size_t length = strlen(path);
  *s = (struct trp_service_socket){.fd = -1, .address.sun_family = AF_UNIX};
  bool abstract = path[0] == '@';
  if ((path[0] != '/' && !abstract) || length < 2 || length >= sizeof s->address.sun_path) {
    return TRP_INVALID;
  }
  memcpy(s->address.sun_path, path, length);
  if (abstract) s->address.sun_path[0] = '\0'; /* and its name ends where the address does */
  s->address_bytes =
      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
  s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return s->fd >= 0 ? TRP_OK : TRP_SYSTEM;
}

enum trp_err trp_service_socket_send(struct trp_service_socket *s, const char *text) {
  const struct timespec nap = {.tv_nsec = 5 * (long)TRP_NS_PER_MS};
  const struct sockaddr *to = (const struct sockaddr *)(const void *)&s->address;
  uint64_t until = trp_deadline_in(SEND_NS);
  if (s->fd < 0) return TRP_WRONG_STATE;
  for (;;) {
    ssize_t n =
        sendto(s->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL, to, s->address_bytes);
    if (n >= 0) return TRP_OK;
    if (errno != EAGAIN && errno != EINTR) return TRP_SYSTEM;
    if (trp_deadline_left_ns(until) == 0) return TRP_TIMEOUT;
    nanosleep(&nap, NULL);
  }
}

void trp_service_socket_close(struct trp_service_socket *s) {
  if (s->fd >= 0) close(s->fd);
  s->fd = -1;
}
