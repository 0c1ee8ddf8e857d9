#include "adapters/net_cares.h"

#include <arpa/inet.h>
#include <ares.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#define TRY_TIMEOUT_MS 2000 /* of one server, doubled each round by c-ares */
#define TRIES 3

struct trp_net_query {
  struct trp_net_query *next;
  struct trp_net_cares *cares;
  ares_channel channel;
  trp_net_resolved_fn *resolved;
  void *user;
  bool answered;
  enum trp_err err;
  const char *reason; /* a literal, or c-ares' own text */
  struct trp_net_addresses addresses;
};

struct trp_net_cares {
  int epoll_fd;
  const char *servers;
  struct trp_net_query *queries;
};

enum trp_err trp_net_cares_new(struct trp_net_cares **out, int epoll_fd) {
  if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
    return TRP_SYSTEM;
  }
  struct trp_net_cares *cares = calloc(1, sizeof *cares);
  if (cares == NULL) {
    ares_library_cleanup();
    return TRP_NO_MEMORY;
  }
  cares->epoll_fd = epoll_fd;
  *out = cares;
  return TRP_OK;
}

void trp_net_cares_destroy(struct trp_net_cares **cares) {
  if (*cares == NULL) {
    return;
  }
  while ((*cares)->queries != NULL) {
    struct trp_net_query *query = (*cares)->queries;
    trp_net_cares_cancel(*cares, &query);
  }
  free(*cares);
  *cares = NULL;
  ares_library_cleanup();
}

void trp_net_cares_servers(struct trp_net_cares *cares, const char *servers) {
  cares->servers = servers;
}

/* c-ares opened, closed or changed a socket: keep the epoll set the same. */
static void socket_changed(void *user, ares_socket_t fd, int readable, int writable) {
  const struct trp_net_query *query = user;
  struct epoll_event event = {.events = (readable ? (uint32_t)EPOLLIN : 0u) |
                                        (writable ? (uint32_t)EPOLLOUT : 0u)};
  if (event.events == 0) {
    epoll_ctl(query->cares->epoll_fd, EPOLL_CTL_DEL, fd, &event);
  } else if (epoll_ctl(query->cares->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0) {
    epoll_ctl(query->cares->epoll_fd, EPOLL_CTL_ADD, fd, &event);
  }
}

static void copy_addresses(struct trp_net_addresses *to, const struct ares_addrinfo *from) {
  const struct ares_addrinfo_node *node = from->nodes;
  for (; node != NULL && to->count < TRP_NET_ADDRESSES_MAX; node = node->ai_next) {
    const void *address = NULL;
    if (node->ai_family == AF_INET) {
      address = &((const struct sockaddr_in *)(const void *)node->ai_addr)->sin_addr;
    } else if (node->ai_family == AF_INET6) {
      address = &((const struct sockaddr_in6 *)(const void *)node->ai_addr)->sin6_addr;
    }
    if (address != NULL &&
        inet_ntop(node->ai_family, address, to->text[to->count], TRP_NET_ADDRESS_BYTES) != NULL) {
      to->count++;
    }
  }
}

/* c-ares' callback; may run inside start, process and cancel, so it only takes notes. */
static void answered(void *user, int status, int timeouts, struct ares_addrinfo *result) {
  (void)timeouts;
  struct trp_net_query *query = user;
  query->answered = true;
  query->err = status == ARES_ENOMEM ? TRP_NO_MEMORY : TRP_RESOLVE;
  query->reason = ares_strerror(status);
  if (status == ARES_SUCCESS) {
    copy_addresses(&query->addresses, result);
    query->err = query->addresses.count > 0 ? TRP_OK : TRP_RESOLVE;
    query->reason = query->addresses.count > 0 ? "" : "the name has no address";
  }
  ares_freeaddrinfo(result);
}

enum trp_err trp_net_cares_start(struct trp_net_cares *cares, const char *host,
                                 trp_net_resolved_fn *resolved, void *user,
                                 struct trp_net_query **out) {
  struct trp_net_query *query = calloc(1, sizeof *query);
  if (query == NULL) {
    return TRP_NO_MEMORY;
  }
  *query = (struct trp_net_query){.cares = cares, .resolved = resolved, .user = user};
  struct ares_options options = {
      .timeout = TRY_TIMEOUT_MS,
      .tries = TRIES,
      .sock_state_cb = socket_changed,
      .sock_state_cb_data = query,
  };
  int status = ares_init_options(&query->channel, &options,
                                 ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (status != ARES_SUCCESS) {
    free(query);
    return status == ARES_ENOMEM ? TRP_NO_MEMORY : TRP_SYSTEM;
  }
  if (cares->servers != NULL) {
    ares_set_servers_ports_csv(query->channel, cares->servers);
  }
  query->next = cares->queries;
  cares->queries = query;
  const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  ares_getaddrinfo(query->channel, host, NULL, &hints, answered, query);
  *out = query;
  return TRP_OK;
}

void trp_net_cares_cancel(struct trp_net_cares *cares, struct trp_net_query **query) {
  if (*query == NULL) {
    return;
  }
  for (struct trp_net_query **at = &cares->queries; *at != NULL; at = &(*at)->next) {
    if (*at == *query) {
      *at = (*query)->next;
      break;
    }
  }
  ares_destroy((*query)->channel);
  free(*query);
  *query = NULL;
}

/* Serves the ready sockets of one query, and its time-outs. */
static void serve(struct trp_net_query *query) {
  ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
  struct pollfd polls[ARES_GETSOCK_MAXNUM];
  nfds_t n = 0;
  /* unsigned: c-ares's macro shifts a 1 as far as bit 31 for the last socket's writing. */
  unsigned bits = (unsigned)ares_getsock(query->channel, sockets, ARES_GETSOCK_MAXNUM);
  for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
    bool in = (bits >> i & 1) != 0, out = (bits >> (i + ARES_GETSOCK_MAXNUM) & 1) != 0;
    short events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0));
    if (events != 0) {
      polls[n++] = (struct pollfd){.fd = sockets[i], .events = events};
    }
  }
  if (n > 0 && poll(polls, n, 0) > 0) {
    for (nfds_t i = 0; i < n; i++) {
      bool in = (polls[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
      bool out = (polls[i].revents & POLLOUT) != 0;
      ares_process_fd(query->channel, in ? polls[i].fd : ARES_SOCKET_BAD,
                      out ? polls[i].fd : ARES_SOCKET_BAD);
    }
  }
  ares_process_fd(query->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

/* Takes an answered query out of the list; NULL where there is none. */
static struct trp_net_query *take_answered(struct trp_net_cares *cares) {
  for (struct trp_net_query **at = &cares->queries; *at != NULL; at = &(*at)->next) {
    if ((*at)->answered) {
      struct trp_net_query *query = *at;
      *at = query->next;
      return query;
    }
  }
  return NULL;
}

void trp_net_cares_process(struct trp_net_cares *cares) {
  for (struct trp_net_query *query = cares->queries; query != NULL; query = query->next) {
    if (!query->answered) {
      serve(query);
    }
  }
  struct trp_net_query *query;
  while ((query = take_answered(cares)) != NULL) {
    query->resolved(query->user, query->err, query->reason, &query->addresses);
    ares_destroy(query->channel);
    free(query);
  }
}

uint64_t trp_net_cares_deadline_ns(const struct trp_net_cares *cares, uint64_t now_ns) {
  uint64_t first = UINT64_MAX;
  for (const struct trp_net_query *query = cares->queries; query != NULL; query = query->next) {
    struct timeval wait;
    if (query->answered) {
      return now_ns;
    }
    if (ares_timeout(query->channel, NULL, &wait) != NULL) {
      /* A little late rather than a little early: early is a turn for nothing. */
      uint64_t ns = (uint64_t)wait.tv_sec * 1000000000u + (uint64_t)wait.tv_usec * 1000u + 1000000u;
      first = now_ns + ns < first ? now_ns + ns : first;
    }
  }
  return first;
}
