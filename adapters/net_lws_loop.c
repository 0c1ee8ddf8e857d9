/* The context and the loop.
 *
 * libwebsockets polls. Our own wake-up, timer, listener and the resolver's sockets stand in one
 * epoll set, which libwebsockets polls as a single raw descriptor. A timer descriptor and not one
 * of libwebsockets' own timers ends a wait: those are cut to whole milliseconds and spun for the
 * rest.
 *
 * OpenSSL is initialised by the first context of the process alone. Each initialisation takes new
 * indices for the process-wide "which wsi is this" of OpenSSL, which breaks handshakes under way
 * and loses the older contexts' memory (fixed in libwebsockets 4.2); the vhosts that speak TLS ask
 * for it themselves, which libwebsockets accepts. */
#include "adapters/net_lws.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SLACK_FDS 32u                  /* beside links: pipe, epoll, connections that are dying */
#define PATIENCE_S 120                 /* of libwebsockets; the links' own deadlines are shorter */
#define HEADER_BYTES 16384             /* of a response's headers and what was asked */
#define REMIND_NS (10 * TRP_NS_PER_MS) /* an owner that left events is told again so often */
#define ACCEPT_REST_NS (100 * TRP_NS_PER_MS)

/* What stands in the epoll set. */
enum { SOURCE_CARES = 0, SOURCE_WAKE, SOURCE_TIMER, SOURCE_LISTENER };

static int loop_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                         size_t size);

/* The first is the server's: libwebsockets gives it all that is not bound yet. */
static const struct lws_protocols protocols[] = {
    {.name = "trp-server",
     .callback = trp_net_server_callback,
     .rx_buffer_size = TRP_NET_READ_BYTES,
     .tx_packet_size = 65536},
    {.name = "trp-ws",
     .callback = trp_net_ws_callback,
     .rx_buffer_size = TRP_NET_READ_BYTES,
     .tx_packet_size = 65536},
    {.name = "trp-http",
     .callback = trp_net_http_callback,
     .rx_buffer_size = TRP_NET_READ_BYTES,
     .tx_packet_size = 65536},
    {.name = "trp-loop", .callback = loop_callback},
    {.name = NULL},
};

const lws_retry_bo_t trp_net_lws_no_validity = {.secs_since_valid_ping = 0};

/* ---- serving ------------------------------------------------------------------------------- */

static bool watch(struct trp_net_lws_loop *on, int fd, uint64_t source) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = source};
  return fd >= 0 && epoll_ctl(on->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool trp_net_lws_watch_listener(struct trp_net_lws_loop *on, int fd) {
  return watch(on, fd, SOURCE_LISTENER) || errno == EEXIST;
}

void trp_net_lws_unwatch_listener(struct trp_net_lws_loop *on) {
  epoll_ctl(on->epoll_fd, EPOLL_CTL_DEL, on->listen_fd, NULL);
  on->accept_at_ns = UINT64_MAX;
}

/* Out of descriptors: a listener that stays in the set would make the loop spin. */
static void rest_listener(struct trp_net_lws_loop *on) {
  epoll_ctl(on->epoll_fd, EPOLL_CTL_DEL, on->listen_fd, NULL);
  on->accept_at_ns = trp_net_lws_now_ns() + ACCEPT_REST_NS;
}

static void drain(int fd) {
  uint64_t count;
  while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

static void serve_sources(struct trp_net_lws_loop *on) {
  struct epoll_event events[16];
  int n = epoll_wait(on->epoll_fd, events, 16, 0);
  bool names = false;
  for (int i = 0; i < n; i++) {
    switch (events[i].data.u64) {
      case SOURCE_WAKE:
        drain(on->wake_fd);
        on->woken = true;
        break;
      case SOURCE_TIMER:
        drain(on->timer_fd);
        on->armed_ns = UINT64_MAX;
        break;
      case SOURCE_LISTENER:
        if (!trp_net_server_accept(on)) {
          rest_listener(on);
        }
        break;
      default:
        names = true;
        break;
    }
  }
  if (names) {
    trp_net_cares_process(on->cares);
  }
}

static int loop_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                         size_t size) {
  (void)user;
  (void)in;
  (void)size;
  if (reason == LWS_CALLBACK_RAW_RX_FILE) {
    serve_sources(lws_context_user(lws_get_context(wsi)));
  }
  return 0;
}

static void arm(struct trp_net_lws_loop *on, uint64_t at_ns) {
  if (on->armed_ns == at_ns) {
    return;
  }
  on->armed_ns = at_ns;
  struct itimerspec when = {0};
  if (at_ns != UINT64_MAX) {
    when.it_value.tv_sec = (time_t)(at_ns / TRP_NS_PER_S);
    when.it_value.tv_nsec = (long)(at_ns % TRP_NS_PER_S);
  }
  timerfd_settime(on->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void serve_due_links(struct trp_net_lws_loop *on, uint64_t now) {
  on->links_due_ns = UINT64_MAX;
  for (struct trp_net_lws *net = on->nets; net != NULL; net = net->next) {
    if (now >= net->links_due_ns) {
      trp_net_lws_serve_due(net, now);
    }
    if (net->links_due_ns < on->links_due_ns) {
      on->links_due_ns = net->links_due_ns;
    }
  }
}

/* Does what is due by now, and returns when something will be due next. */
static uint64_t do_what_is_due(struct trp_net_lws_loop *on, uint64_t now) {
  if (now >= on->links_due_ns) {
    serve_due_links(on, now);
  }
  uint64_t next = on->links_due_ns;
  if (now >= on->accept_at_ns) {
    on->accept_at_ns = UINT64_MAX;
    watch(on, on->listen_fd, SOURCE_LISTENER);
  }
  next = on->accept_at_ns < next ? on->accept_at_ns : next;
  if (trp_net_cares_deadline_ns(on->cares, now) <= now) {
    trp_net_cares_process(on->cares);
  }
  uint64_t names = trp_net_cares_deadline_ns(on->cares, now);
  next = names < next ? names : next;
  for (struct trp_net_lws *net = on->waiting; net != NULL; net = net->waiting_next) {
    if (now >= net->notified_ns + REMIND_NS) {
      trp_net_lws_news(net);
    }
    uint64_t remind = net->notified_ns + REMIND_NS;
    next = remind < next ? remind : next;
  }
  return next;
}

void trp_net_lws_run(struct trp_loop *loop, uint64_t until_ns) {
  struct trp_net_lws_loop *on = trp_net_lws_of((struct trp_net *)(void *)loop)->on;
  on->woken = false;
  for (;;) {
    uint64_t now = trp_net_lws_now_ns();
    uint64_t next = do_what_is_due(on, now);
    bool last = on->woken || now >= until_ns;
    if (!last) {
      arm(on, next < until_ns ? next : until_ns);
    }
    lws_service(on->context, last ? -1 : 0);
    if (last || on->woken || trp_net_lws_now_ns() >= until_ns) {
      break;
    }
  }
  if (on->told) { /* our own notice has woken us too; returning is what any wake wants */
    on->told = false;
    drain(on->wake_fd);
  }
}

/* Writes add up in the descriptor: any number of wakes is one. */
void trp_net_lws_wake(struct trp_loop *loop) {
  struct trp_net_lws_loop *on = trp_net_lws_of((struct trp_net *)(void *)loop)->on;
  const uint64_t one = 1;
  while (write(on->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

/* ---- making -------------------------------------------------------------------------------- */

static enum trp_err make_sources(struct trp_net_lws_loop *on) {
  on->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  on->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  on->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (on->epoll_fd < 0 || !watch(on, on->wake_fd, SOURCE_WAKE) ||
      !watch(on, on->timer_fd, SOURCE_TIMER)) {
    return TRP_SYSTEM;
  }
  return trp_net_cares_new(&on->cares, on->epoll_fd);
}

static enum trp_err make_context(struct trp_net_lws_loop *on) {
  static bool openssl_ready; /* of the process; nets are made serially */
  lws_set_log_level(0, NULL);
  struct lws_context_creation_info info = {
      .port = CONTEXT_PORT_NO_LISTEN_SERVER,
      .protocols = protocols,
      .options = LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS |
                 (openssl_ready ? 0u : (uint64_t)LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT),
      .gid = -1,
      .uid = -1,
      .user = on,
      .timeout_secs = PATIENCE_S,
      .connect_timeout_secs = PATIENCE_S,
      .max_http_header_data = HEADER_BYTES,
      .pt_serv_buf_size = 65536,
      .fd_limit_per_thread = on->links_max + SLACK_FDS,
      .retry_and_idle_policy = &trp_net_lws_no_validity,
      .http_proxy_address = "", /* else libwebsockets obeys $http_proxy, even for loopback */
      .vhost_name = "plain",
  };
  on->context = lws_create_context(&info);
  if (on->context == NULL) {
    return TRP_NO_MEMORY;
  }
  openssl_ready = true;
  on->plain = on->served = lws_get_vhost_by_name(on->context, "plain");
  lws_sock_file_fd_type fd = {.filefd = fcntl(on->epoll_fd, F_DUPFD_CLOEXEC, 0)};
  if (fd.filefd < 0 || lws_adopt_descriptor_vhost(on->plain, LWS_ADOPT_RAW_FILE_DESC, fd,
                                                  "trp-loop", NULL) == NULL) {
    return TRP_SYSTEM;
  }
  return TRP_OK;
}

/* The listener's vhost where it speaks TLS. libwebsockets says nothing about what is wrong with the
 * files, so whether they can be read is asked first. */
static enum trp_err make_served(struct trp_net_lws_loop *on,
                                const struct trp_net_options *options) {
  if (options->tls_cert == NULL) {
    return TRP_OK;
  }
  if (options->tls_key == NULL || access(options->tls_cert, R_OK) != 0 ||
      access(options->tls_key, R_OK) != 0) {
    return TRP_INVALID;
  }
  struct lws_context_creation_info info = {
      .port = CONTEXT_PORT_NO_LISTEN_SERVER,
      .protocols = protocols,
      .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
      .ssl_cert_filepath = options->tls_cert,
      .ssl_private_key_filepath = options->tls_key,
      .timeout_secs = PATIENCE_S,
      .retry_and_idle_policy = &trp_net_lws_no_validity,
      .http_proxy_address = "",
      .vhost_name = "served",
  };
  on->served = lws_create_vhost(on->context, &info);
  return on->served != NULL ? TRP_OK : TRP_INVALID;
}

enum trp_err trp_net_lws_authority(struct trp_net_lws_loop *on, const char *ca_file,
                                   struct lws_vhost **out) {
  for (size_t i = 0; i < on->authority_count; i++) {
    const char *have = on->authorities[i].ca_file;
    if (have == ca_file || (have != NULL && ca_file != NULL && strcmp(have, ca_file) == 0)) {
      *out = on->authorities[i].vhost;
      return TRP_OK;
    }
  }
  if (on->authority_count == TRP_NET_AUTHORITIES_MAX) {
    return TRP_LIMIT;
  }
  char *copy = ca_file != NULL ? strdup(ca_file) : NULL;
  if (ca_file != NULL && copy == NULL) {
    return TRP_NO_MEMORY;
  }
  struct lws_context_creation_info info = {
      .port = CONTEXT_PORT_NO_LISTEN,
      .protocols = protocols,
      .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                 (copy ? (uint64_t)LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS : 0u),
      .client_ssl_ca_filepath = copy,
      .connect_timeout_secs = PATIENCE_S,
      .retry_and_idle_policy = &trp_net_lws_no_validity,
      .http_proxy_address = "",
      .vhost_name = "tls",
  };
  struct lws_vhost *vhost = lws_create_vhost(on->context, &info);
  if (vhost == NULL) {
    free(copy);
    return TRP_NO_MEMORY;
  }
  on->authorities[on->authority_count].ca_file = copy;
  on->authorities[on->authority_count++].vhost = vhost;
  *out = vhost;
  return TRP_OK;
}

static void close_fd(int fd) {
  if (fd >= 0) {
    close(fd);
  }
}

/* Also of a half-built one. */
void trp_net_lws_loop_destroy(struct trp_net_lws_loop *on) {
  if (on->context != NULL) {
    lws_context_destroy(on->context);
  }
  trp_net_cares_destroy(&on->cares);
  trp_net_buffer_fini(&on->scratch);
  for (size_t i = 0; i < on->authority_count; i++) {
    free(on->authorities[i].ca_file);
  }
  close_fd(on->listen_fd);
  close_fd(on->timer_fd);
  close_fd(on->wake_fd);
  close_fd(on->epoll_fd);
  free(on->accepted);
  free(on);
}

enum trp_err trp_net_lws_loop_new(struct trp_net_lws_loop **out, struct trp_net_lws *owner,
                                  const struct trp_net_options *options) {
  struct trp_net_lws_loop *on = calloc(1, sizeof *on);
  if (on == NULL) {
    return TRP_NO_MEMORY;
  }
  on->owner = owner;
  on->links_max = owner->options.links_max;
  on->epoll_fd = on->wake_fd = on->timer_fd = on->listen_fd = -1;
  on->armed_ns = on->links_due_ns = on->accept_at_ns = UINT64_MAX;
  on->accepted = calloc(on->links_max + SLACK_FDS, sizeof(struct lws *));
  enum trp_err err = on->accepted == NULL ? TRP_NO_MEMORY : make_sources(on);
  if (err == TRP_OK) {
    err = make_context(on);
  }
  if (err == TRP_OK && options != NULL) {
    err = make_served(on, options);
  }
  if (err != TRP_OK) {
    trp_net_lws_loop_destroy(on);
    return err;
  }
  *out = on;
  return TRP_OK;
}
