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

#define LINKS_MAX 64u
#define LINKS_LIMIT 16384u
#define SEND_QUEUE_MAX 1024u
#define EVENT_BYTES_MAX (4u << 20)
#define EVENT_BYTES_LEAST (64u << 10)
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

uint64_t trp_net_lws_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * TRP_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- the loop ------------------------------------------------------------------------------ */

void trp_net_lws_news(struct trp_net_lws *net) {
  net->woken = true;
  net->notified_ns = trp_net_lws_now_ns();
  if (net->net.system != NULL) {
    net->told = true;
    trp_notify(net->net.system, net->net.slot);
  }
}

static bool watch(struct trp_net_lws *net, int fd, uint64_t source) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = source};
  return fd >= 0 && epoll_ctl(net->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool trp_net_lws_watch_listener(struct trp_net_lws *net, int fd) {
  return watch(net, fd, SOURCE_LISTENER) || errno == EEXIST;
}

/* Out of descriptors: a listener that stays in the set would make the loop spin. */
static void rest_listener(struct trp_net_lws *net) {
  epoll_ctl(net->epoll_fd, EPOLL_CTL_DEL, net->listen_fd, NULL);
  net->accept_at_ns = trp_net_lws_now_ns() + ACCEPT_REST_NS;
}

static void drain(int fd) {
  uint64_t count;
  while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

static void serve_sources(struct trp_net_lws *net) {
  struct epoll_event events[16];
  int n = epoll_wait(net->epoll_fd, events, 16, 0);
  bool names = false;
  for (int i = 0; i < n; i++) {
    switch (events[i].data.u64) {
      case SOURCE_WAKE:
        drain(net->wake_fd);
        net->woken = true;
        break;
      case SOURCE_TIMER:
        drain(net->timer_fd);
        net->armed_ns = UINT64_MAX;
        break;
      case SOURCE_LISTENER:
        if (!trp_net_server_accept(net)) {
          rest_listener(net);
        }
        break;
      default:
        names = true;
        break;
    }
  }
  if (names) {
    trp_net_cares_process(net->cares);
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

static void arm(struct trp_net_lws *net, uint64_t at_ns) {
  if (net->armed_ns == at_ns) {
    return;
  }
  net->armed_ns = at_ns;
  struct itimerspec when = {0};
  if (at_ns != UINT64_MAX) {
    when.it_value.tv_sec = (time_t)(at_ns / TRP_NS_PER_S);
    when.it_value.tv_nsec = (long)(at_ns % TRP_NS_PER_S);
  }
  timerfd_settime(net->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void serve_due_links(struct trp_net_lws *net, uint64_t now) {
  net->links_due_ns = UINT64_MAX;
  for (uint32_t i = 0; i < net->options.links_max; i++) {
    struct trp_net_link *link = net->links[i];
    if (link != NULL && link->connect_now) {
      trp_net_link_connect(link);
      link = net->links[i];
    }
    if (link != NULL && link->deadline_ns <= now) {
      trp_net_link_expired(link);
      link = net->links[i];
    }
    if (link != NULL && link->deadline_ns < net->links_due_ns) {
      net->links_due_ns = link->deadline_ns;
    }
  }
}

/* Does what is due by now, and returns when something will be due next. */
static uint64_t do_what_is_due(struct trp_net_lws *net, uint64_t now) {
  if (now >= net->links_due_ns) {
    serve_due_links(net, now);
  }
  uint64_t next = net->links_due_ns;
  if (now >= net->accept_at_ns) {
    net->accept_at_ns = UINT64_MAX;
    watch(net, net->listen_fd, SOURCE_LISTENER);
  }
  next = net->accept_at_ns < next ? net->accept_at_ns : next;
  if (trp_net_cares_deadline_ns(net->cares, now) <= now) {
    trp_net_cares_process(net->cares);
  }
  uint64_t names = trp_net_cares_deadline_ns(net->cares, now);
  next = names < next ? names : next;
  if (!trp_net_queue_empty(&net->queue)) {
    if (now >= net->notified_ns + REMIND_NS) {
      trp_net_lws_news(net);
    }
    uint64_t remind = net->notified_ns + REMIND_NS;
    next = remind < next ? remind : next;
  }
  return next;
}

static void loop_run(struct trp_loop *loop, uint64_t until_ns) {
  struct trp_net_lws *net = trp_net_lws_of((struct trp_net *)(void *)loop);
  net->woken = false;
  for (;;) {
    uint64_t now = trp_net_lws_now_ns();
    uint64_t next = do_what_is_due(net, now);
    bool last = net->woken || now >= until_ns;
    if (!last) {
      arm(net, next < until_ns ? next : until_ns);
    }
    lws_service(net->context, last ? -1 : 0);
    if (last || net->woken || trp_net_lws_now_ns() >= until_ns) {
      break;
    }
  }
  if (net->told) { /* our own notice has woken us too; returning is what any wake wants */
    net->told = false;
    drain(net->wake_fd);
  }
}

/* Writes add up in the descriptor: any number of wakes is one. */
static void loop_wake(struct trp_loop *loop) {
  struct trp_net_lws *net = trp_net_lws_of((struct trp_net *)(void *)loop);
  const uint64_t one = 1;
  while (write(net->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

/* ---- operations of the net itself ---------------------------------------------------------- */

static void resume_reading(struct trp_net_lws *net) {
  for (uint32_t i = 0; i < net->options.links_max; i++) {
    struct trp_net_link *link = net->links[i];
    if (link != NULL && link->held_full) {
      link->held_full = false;
      trp_net_link_flow(link);
    }
  }
}

static bool net_next(struct trp_net *base, struct trp_net_event *out) {
  struct trp_net_lws *net = trp_net_lws_of(base);
  bool was_low = trp_net_queue_low(&net->queue);
  bool found = trp_net_queue_next(&net->queue, out);
  if (!was_low && trp_net_queue_low(&net->queue)) {
    resume_reading(net);
  }
  return found;
}

/* One round of the loop closes the descriptor now, also where nobody runs the loop any more. From
 * here on nobody is let in, neither in that round nor by a thread that is about to leave: he would
 * be nobody's. */
static void cancel_all(struct trp_net_lws *net) {
  struct trp_net_event event;
  epoll_ctl(net->epoll_fd, EPOLL_CTL_DEL, net->listen_fd, NULL);
  net->accept_at_ns = UINT64_MAX;
  for (uint32_t i = 0; i < net->options.links_max; i++) {
    if (net->links[i] != NULL) {
      trp_net_link_drop(net->links[i]);
    }
  }
  trp_net_server_kill_strangers(net);
  lws_service(net->context, -1);
  while (trp_net_queue_next(&net->queue, &event)) {
    continue;
  }
}

static void net_cancel(struct trp_net *base, uint64_t id) {
  struct trp_net_lws *net = trp_net_lws_of(base);
  if (id == 0) {
    cancel_all(net);
    return;
  }
  trp_net_queue_forget(&net->queue, id);
  struct trp_net_link *link = trp_net_link_find(net, id);
  if (link != NULL) {
    trp_net_link_drop(link);
    lws_service(net->context, -1);
  }
}

static void net_hold(struct trp_net *base, uint64_t id, bool held) {
  struct trp_net_link *link = trp_net_link_find(trp_net_lws_of(base), id);
  if (link != NULL) {
    link->held = held;
    trp_net_link_flow(link);
  }
}

static size_t net_live(struct trp_net *base) { return trp_net_lws_of(base)->live; }

static void close_fd(int fd) {
  if (fd >= 0) {
    close(fd);
  }
}

/* Also of a half-built net. */
static void net_destroy(struct trp_net *base) {
  struct trp_net_lws *net = trp_net_lws_of(base);
  for (uint32_t i = 0; net->links != NULL && i < net->options.links_max; i++) {
    if (net->links[i] != NULL) {
      trp_net_link_drop(net->links[i]);
    }
  }
  if (net->context != NULL) {
    lws_context_destroy(net->context);
  }
  trp_net_cares_destroy(&net->cares);
  trp_net_queue_fini(&net->queue);
  trp_net_buffer_fini(&net->scratch);
  for (size_t i = 0; i < net->authority_count; i++) {
    free(net->authorities[i].ca_file);
  }
  close_fd(net->listen_fd);
  close_fd(net->timer_fd);
  close_fd(net->wake_fd);
  close_fd(net->epoll_fd);
  free(net->accepted);
  free(net->links);
  free(net);
}

static const struct trp_net_ops operations = {
    .ws_open = trp_net_ws_open,
    .ws_send = trp_net_ws_send,
    .ws_ping = trp_net_ws_ping,
    .ws_close = trp_net_ws_close,
    .http_send = trp_net_http_send,
    .cancel = net_cancel,
    .listen = trp_net_server_listen,
    .respond = trp_net_server_respond,
    .hold = net_hold,
    .next = net_next,
    .live = net_live,
    .destroy = net_destroy,
};

void trp_net_lws_servers(struct trp_net *net, const char *servers) {
  trp_net_cares_servers(trp_net_lws_of(net)->cares, servers);
}

/* ---- making -------------------------------------------------------------------------------- */

static enum trp_err make_sources(struct trp_net_lws *net) {
  net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  net->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  net->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (net->epoll_fd < 0 || !watch(net, net->wake_fd, SOURCE_WAKE) ||
      !watch(net, net->timer_fd, SOURCE_TIMER)) {
    return TRP_SYSTEM;
  }
  return trp_net_cares_new(&net->cares, net->epoll_fd);
}

static enum trp_err make_context(struct trp_net_lws *net) {
  static bool openssl_ready; /* of the process; nets are made serially */
  lws_set_log_level(0, NULL);
  struct lws_context_creation_info info = {
      .port = CONTEXT_PORT_NO_LISTEN_SERVER,
      .protocols = protocols,
      .options = LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS |
                 (openssl_ready ? 0u : (uint64_t)LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT),
      .gid = -1,
      .uid = -1,
      .user = net,
      .timeout_secs = PATIENCE_S,
      .connect_timeout_secs = PATIENCE_S,
      .max_http_header_data = HEADER_BYTES,
      .pt_serv_buf_size = 65536,
      .fd_limit_per_thread = net->options.links_max + SLACK_FDS,
      .retry_and_idle_policy = &trp_net_lws_no_validity,
      .http_proxy_address = "", /* else libwebsockets obeys $http_proxy, even for loopback */
      .vhost_name = "plain",
  };
  net->context = lws_create_context(&info);
  if (net->context == NULL) {
    return TRP_NO_MEMORY;
  }
  openssl_ready = true;
  net->plain = net->served = lws_get_vhost_by_name(net->context, "plain");
  lws_sock_file_fd_type fd = {.filefd = fcntl(net->epoll_fd, F_DUPFD_CLOEXEC, 0)};
  if (fd.filefd < 0 || lws_adopt_descriptor_vhost(net->plain, LWS_ADOPT_RAW_FILE_DESC, fd,
                                                  "trp-loop", NULL) == NULL) {
    return TRP_SYSTEM;
  }
  return TRP_OK;
}

/* The listener's vhost where it speaks TLS. libwebsockets says nothing about what is wrong with the
 * files, so whether they can be read is asked first. */
static enum trp_err make_served(struct trp_net_lws *net, const struct trp_net_options *options) {
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
  net->served = lws_create_vhost(net->context, &info);
  return net->served != NULL ? TRP_OK : TRP_INVALID;
}

enum trp_err trp_net_lws_authority(struct trp_net_lws *net, const char *ca_file,
                                   struct lws_vhost **out) {
  for (size_t i = 0; i < net->authority_count; i++) {
    const char *have = net->authorities[i].ca_file;
    if (have == ca_file || (have != NULL && ca_file != NULL && strcmp(have, ca_file) == 0)) {
      *out = net->authorities[i].vhost;
      return TRP_OK;
    }
  }
  if (net->authority_count == TRP_NET_AUTHORITIES_MAX) {
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
  struct lws_vhost *vhost = lws_create_vhost(net->context, &info);
  if (vhost == NULL) {
    free(copy);
    return TRP_NO_MEMORY;
  }
  net->authorities[net->authority_count].ca_file = copy;
  net->authorities[net->authority_count++].vhost = vhost;
  *out = vhost;
  return TRP_OK;
}

static uint32_t or_else(uint32_t value, uint32_t otherwise) { return value ? value : otherwise; }

enum trp_err trp_net_lws_new(struct trp_net **out, const struct trp_net_options *options) {
  const struct trp_net_options none = {0};
  options = options != NULL ? options : &none;
  struct trp_net_lws *net = calloc(1, sizeof *net);
  if (net == NULL) {
    return TRP_NO_MEMORY;
  }
  net->net = (struct trp_net){.loop = {.run = loop_run, .wake = loop_wake}, .ops = &operations};
  net->epoll_fd = net->wake_fd = net->timer_fd = net->listen_fd = -1;
  net->armed_ns = net->links_due_ns = net->accept_at_ns = UINT64_MAX;
  net->options.links_max = or_else(options->links_max, LINKS_MAX);
  net->options.send_queue_max = or_else(options->send_queue_max, SEND_QUEUE_MAX);
  net->options.event_bytes_max = or_else(options->event_bytes_max, EVENT_BYTES_MAX);
  if (net->options.links_max > LINKS_LIMIT) {
    net->options.links_max = LINKS_LIMIT;
  }
  if (net->options.event_bytes_max < EVENT_BYTES_LEAST) {
    net->options.event_bytes_max = EVENT_BYTES_LEAST;
  }
  net->links = calloc(net->options.links_max, sizeof(struct trp_net_link *));
  net->accepted = calloc(net->options.links_max + SLACK_FDS, sizeof(struct lws *));
  enum trp_err err = net->links == NULL || net->accepted == NULL ? TRP_NO_MEMORY : TRP_OK;
  if (err == TRP_OK) {
    err = trp_net_queue_init(&net->queue, net->options.event_bytes_max, net->options.links_max);
  }
  if (err == TRP_OK) {
    err = make_sources(net);
  }
  if (err == TRP_OK) {
    err = make_context(net);
  }
  if (err == TRP_OK) {
    err = make_served(net, options);
  }
  if (err != TRP_OK) {
    net_destroy(&net->net);
    return err;
  }
  *out = &net->net;
  return TRP_OK;
}
