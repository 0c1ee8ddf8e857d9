#include "adapters/control_client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#include "adapters/control_path.h"
#include "runtime/troupe.h"

enum {
  CONNECT_MS = 2000,
  LOOK_MS = 100 /* how often a waiting client looks whether the socket is there still */
};

struct trp_control_client {
  nng_socket socket;
  bool opened;
  nng_aio *aio;
  pthread_mutex_t lock;   /* guards the two that nng's callbacks set */
  pthread_cond_t changed; /* nng_aio_wait has no deadline of ours */
  bool done;              /* the aio's operation is over */
  bool connected;         /* once: nng connects again by itself */
  nng_msg *answer;
  char path[TRP_SOCKET_PATH_BYTES];
};

static void on_done(void *arg) {
  struct trp_control_client *client = arg;
  pthread_mutex_lock(&client->lock);
  client->done = true;
  pthread_cond_signal(&client->changed);
  pthread_mutex_unlock(&client->lock);
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg) {
  struct trp_control_client *client = arg;
  (void)pipe;
  (void)event;
  pthread_mutex_lock(&client->lock);
  client->connected = true;
  pthread_cond_signal(&client->changed);
  pthread_mutex_unlock(&client->lock);
}

static void make_waitable(struct trp_control_client *client) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&client->lock, NULL);
  pthread_cond_init(&client->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

static struct timespec ms_from_now(uint32_t ms) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  at.tv_sec += ms / 1000;
  at.tv_nsec += (long)(ms % 1000) * 1000000;
  if (at.tv_nsec >= 1000000000) {
    at.tv_sec++;
    at.tv_nsec -= 1000000000;
  }
  return at;
}

/* nng 1.5.2 forgets memory where a socket is closed while its connection is only half made, so a
 * client is one that stands. */
static enum trp_err wait_connected(struct trp_control_client *client) {
  struct timespec until = ms_from_now(CONNECT_MS);
  pthread_mutex_lock(&client->lock);
  int rv = 0;
  while (!client->connected && rv == 0) {
    rv = pthread_cond_timedwait(&client->changed, &client->lock, &until);
  }
  bool connected = client->connected;
  pthread_mutex_unlock(&client->lock);
  return connected ? TRP_OK : TRP_TIMEOUT;
}

static enum trp_err set_up(struct trp_control_client *client) {
  char url[TRP_SOCKET_PATH_BYTES + 8];
  snprintf(url, sizeof url, "ipc://%s", client->path);
  if (nng_aio_alloc(&client->aio, on_done, client) != 0) return TRP_NO_MEMORY;
  if (nng_req0_open(&client->socket) != 0) return TRP_SYSTEM;
  client->opened = true;
  nng_socket s = client->socket;
  /* An answer that is late is no reason to ask again; a connection that is new is. */
  int rv = nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
  if (rv == 0) rv = nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, TRP_ANSWER_BYTES_MAX + 64);
  if (rv == 0) rv = nng_socket_set_ms(s, NNG_OPT_RECONNMINT, 20);
  if (rv == 0) rv = nng_socket_set_ms(s, NNG_OPT_RECONNMAXT, 100);
  if (rv == 0) rv = nng_pipe_notify(s, NNG_PIPE_EV_ADD_POST, on_pipe, client);
  if (rv == 0) rv = nng_dial(s, url, NULL, NNG_FLAG_NONBLOCK);
  return rv == 0 ? wait_connected(client) : TRP_SYSTEM;
}

enum trp_err trp_control_client_open(struct trp_control_client **out, const char *path) {
  if (strlen(path) >= TRP_SOCKET_PATH_BYTES) return TRP_TOO_BIG;
  enum trp_err err = trp_control_path_probe(path);
  if (err != TRP_OK) return err;
  struct trp_control_client *client = calloc(1, sizeof *client);
  if (client == NULL) return TRP_NO_MEMORY;
  strcpy(client->path, path);
  make_waitable(client);
  err = set_up(client);
  if (err != TRP_OK) {
    trp_control_client_close(&client);
    return err;
  }
  *out = client;
  return TRP_OK;
}

void trp_control_client_close(struct trp_control_client **taken) {
  struct trp_control_client *client = *taken;
  if (client == NULL) return;
  *taken = NULL;
  if (client->aio != NULL) nng_aio_stop(client->aio);
  if (client->opened) nng_close(client->socket);
  if (client->aio != NULL) nng_aio_free(client->aio);
  nng_msg_free(client->answer);
  pthread_cond_destroy(&client->changed);
  pthread_mutex_destroy(&client->lock);
  free(client);
}

uint64_t trp_control_client_id(void) {
  uint64_t id = 0;
  while (id == 0) {
    if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id) {
      id = (uint64_t)getpid() << 32 | (uint32_t)clock();
    }
  }
  return id;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Whether the aio's operation is over, after waiting a moment for it. */
static bool wait_a_moment(struct trp_control_client *client) {
  struct timespec until = ms_from_now(LOOK_MS);
  pthread_mutex_lock(&client->lock);
  int rv = 0;
  while (!client->done && rv == 0) {
    rv = pthread_cond_timedwait(&client->changed, &client->lock, &until);
  }
  bool done = client->done;
  client->done = false;
  pthread_mutex_unlock(&client->lock);
  return done;
}

/* Waits for what the aio does; the aio has a deadline of its own. A system that ends takes its
 * socket away; one that was killed leaves it, and is found out at the deadline. */
static enum trp_err await(struct trp_control_client *client) {
  while (!wait_a_moment(client)) {
    if (access(client->path, F_OK) == 0) continue;
    nng_aio_cancel(client->aio);
    while (!wait_a_moment(client)) continue;
    return nng_aio_result(client->aio) == 0 ? TRP_OK : TRP_CLOSED;
  }
  switch (nng_aio_result(client->aio)) {
    case 0:
      return TRP_OK;
    case NNG_ETIMEDOUT:
      return trp_control_path_probe(client->path) == TRP_OK ? TRP_TIMEOUT : TRP_CLOSED;
    default:
      return TRP_SYSTEM;
  }
}

static enum trp_err send_request(struct trp_control_client *client,
                                 const struct trp_request *request, uint32_t timeout_ms) {
  uint8_t encoded[TRP_REQUEST_BYTES_MAX];
  size_t bytes = sizeof encoded;
  nng_msg *msg = NULL;
  enum trp_err err = trp_request_encode(request, encoded, &bytes);
  if (err != TRP_OK) return TRP_INVALID;
  if (nng_msg_alloc(&msg, 0) != 0) return TRP_NO_MEMORY;
  if (nng_msg_append(msg, encoded, bytes) != 0) {
    nng_msg_free(msg);
    return TRP_NO_MEMORY;
  }
  nng_aio_set_timeout(client->aio, (nng_duration)timeout_ms);
  nng_aio_set_msg(client->aio, msg);
  nng_send_aio(client->socket, client->aio);
  err = await(client);
  if (err != TRP_OK) nng_msg_free(msg);
  return err;
}

static uint32_t ms_until(const struct timespec *end) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t ms = (end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
  return ms > 1 ? (uint32_t)ms : 1;
}

enum trp_err trp_control_client_ask(struct trp_control_client *client,
                                    const struct trp_request *request, uint32_t timeout_ms,
                                    struct trp_answer *answer) {
  struct timespec end = ms_from_now(timeout_ms);
  enum trp_err err = send_request(client, request, timeout_ms);
  if (err != TRP_OK) return err;
  nng_aio_set_timeout(client->aio, (nng_duration)ms_until(&end));
  nng_recv_aio(client->socket, client->aio);
  err = await(client);
  if (err != TRP_OK) return err;
  nng_msg_free(client->answer);
  client->answer = nng_aio_get_msg(client->aio);
  err = trp_answer_decode(nng_msg_body(client->answer), nng_msg_len(client->answer), answer);
  if (err != TRP_OK) return TRP_PROTOCOL;
  /* An id of 0: the other side could not read the request. */
  return answer->id == request->id || answer->id == 0 ? TRP_OK : TRP_PROTOCOL;
}
