#include "adapters/control_ipc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/transport/ipc/ipc.h>

#include "adapters/control_path.h"
#include "adapters/control_peer.h"

enum {
  PEERS_MAX = 64,
  CALLS_PER_PEER = 4, /* so that one client cannot take all */
  TICK_MS = 100,
  HASTE_TICK_MS = 5 /* while leaving, and while the actor is down: a stop may come */
};

static const uint64_t WAIT_NS = 1500 * TRP_NS_PER_MS;  /* for an incarnation to take a call */
static const uint64_t LINGER_NS = 200 * TRP_NS_PER_MS; /* for a client to have read its answer */
static const uint64_t FAREWELL_NS = 400 * TRP_NS_PER_MS;

enum call_state { CALL_FREE, CALL_WAITING, CALL_TAKEN, CALL_ANSWERED };

struct call {
  enum call_state state;
  struct trp_peer *peer; /* NULL: its client has gone */
  uint64_t ticket;       /* ascending; 0: free */
  uint64_t since_ns;
  unsigned taken;
  uint8_t *frame; /* the way back, then the request */
  size_t frame_bytes, way_bytes;
  uint8_t *message; /* the answer, of trp_peer_message */
  size_t message_bytes;
};

struct trp_control_ipc {
  struct trp_control_edge edge;
  struct trp_peer_owner owner; /* its lock guards everything below but `path` */
  struct trp_control_path path;
  nng_stream_listener *listener;
  nng_aio *accept, *tick;
  bool accepting;      /* the aio is under way */
  nng_stream *at_door; /* accepted, waits for a place */
  struct trp_peer peers[PEERS_MAX];
  struct call calls[TRP_CALLS_MAX];
  uint64_t last_ticket;
  struct trp_system *system; /* of the bound actor; NULL before the first */
  struct trp_ref slot;
  uint64_t leaving_ns; /* since when; 0: not */
  bool down;           /* the incarnation that was bound has ended */
  bool orphaned;       /* the system stops without it: no time for manners */
  bool left, closed;
};

static struct trp_control_ipc *of_edge(struct trp_control_edge *edge) {
  return (struct trp_control_ipc *)((char *)edge - offsetof(struct trp_control_ipc, edge));
}

static struct trp_control_ipc *of_owner(struct trp_peer_owner *owner) {
  return (struct trp_control_ipc *)((char *)owner - offsetof(struct trp_control_ipc, owner));
}

/* ---- calls ----------------------------------------------------------------------------------- */

static struct call *find_call(struct trp_control_ipc *ipc, uint64_t ticket) {
  for (int i = 0; i < TRP_CALLS_MAX && ticket != 0; i++) {
    if (ipc->calls[i].ticket == ticket) return &ipc->calls[i];
  }
  return NULL;
}

/* The oldest call in a state, of a peer or (NULL) of anyone. */
static struct call *oldest_call(struct trp_control_ipc *ipc, enum call_state state,
                                const struct trp_peer *peer) {
  struct call *oldest = NULL;
  for (int i = 0; i < TRP_CALLS_MAX; i++) {
    struct call *call = &ipc->calls[i];
    if (call->state != state || (peer != NULL && call->peer != peer)) continue;
    if (oldest == NULL || call->ticket < oldest->ticket) oldest = call;
  }
  return oldest;
}

static int count_calls(const struct trp_control_ipc *ipc, const struct trp_peer *peer) {
  int count = 0;
  for (int i = 0; i < TRP_CALLS_MAX; i++) {
    count += ipc->calls[i].state != CALL_FREE && ipc->calls[i].peer == peer;
  }
  return count;
}

static void free_call(struct call *call) {
  free(call->frame);
  free(call->message);
  *call = (struct call){0};
}

static void tell_actor(const struct trp_control_ipc *ipc) {
  if (ipc->system != NULL && !ipc->closed) trp_notify(ipc->system, ipc->slot);
}

static void resume_all(struct trp_control_ipc *ipc) {
  for (int i = 0; i < PEERS_MAX; i++) trp_peer_resume(&ipc->peers[i]);
}

/* Gives the peer its next answer, and those that had no room for a request another chance. */
static void pump(struct trp_control_ipc *ipc, struct trp_peer *peer) {
  struct call *call = oldest_call(ipc, CALL_ANSWERED, peer);
  if (peer->writing || peer->closing || call == NULL) return;
  uint8_t *message = call->message;
  size_t bytes = call->message_bytes;
  call->message = NULL;
  free_call(call);
  trp_peer_send(peer, message, bytes);
  resume_all(ipc);
}

static void answer_call(struct trp_control_ipc *ipc, struct call *call, const void *data,
                        size_t bytes) {
  if (call->peer == NULL) {
    free_call(call);
    resume_all(ipc);
    return;
  }
  call->state = CALL_ANSWERED;
  call->message = trp_peer_message(call->way_bytes + bytes);
  if (call->message == NULL) { /* the client finds its connection closed, and may try again */
    trp_peer_close(call->peer);
    return;
  }
  memcpy(call->message + TRP_PEER_HEAD_BYTES, call->frame, call->way_bytes);
  memcpy(call->message + TRP_PEER_HEAD_BYTES + call->way_bytes, data, bytes);
  call->message_bytes = call->way_bytes + bytes;
  pump(ipc, call->peer);
}

/* The edge's own answer, where no actor will give one. */
static void refuse_call(struct trp_control_ipc *ipc, struct call *call, enum trp_err status,
                        const char *text) {
  uint8_t room[TRP_ANSWER_TEXT_MAX + 64];
  struct trp_pack pack;
  struct trp_request request;
  (void)!trp_request_decode(call->frame + call->way_bytes, call->frame_bytes - call->way_bytes,
                            &request);
  trp_pack_init_fixed(&pack, room, sizeof room);
  if (trp_answer_plain(&pack, request.id, status, text) == TRP_OK) {
    answer_call(ipc, call, pack.data, pack.bytes);
  }
}

static bool on_frame(struct trp_peer_owner *owner, struct trp_peer *peer, uint8_t *frame,
                     size_t bytes) {
  struct trp_control_ipc *ipc = of_owner(owner);
  struct call *call = oldest_call(ipc, CALL_FREE, NULL);
  size_t way = trp_peer_way_back(frame, bytes);
  if (way == 0 || ipc->leaving_ns != 0) {
    free(frame);
    trp_peer_close(peer);
    return true;
  }
  if (call == NULL || count_calls(ipc, peer) >= CALLS_PER_PEER) return false;
  *call = (struct call){.state = CALL_WAITING,
                        .peer = peer,
                        .ticket = ++ipc->last_ticket,
                        .since_ns = trp_peer_now_ns(),
                        .frame = frame,
                        .frame_bytes = bytes,
                        .way_bytes = way};
  tell_actor(ipc);
  return true;
}

static void on_sent(struct trp_peer_owner *owner, struct trp_peer *peer) {
  pump(of_owner(owner), peer);
}

/* ---- the door -------------------------------------------------------------------------------- */

static void accept_next(struct trp_control_ipc *ipc) {
  if (ipc->accepting || ipc->at_door != NULL || ipc->leaving_ns != 0 || ipc->closed) return;
  ipc->accepting = true;
  nng_stream_listener_accept(ipc->listener, ipc->accept);
}

/* Who has been silent longest among those who wait for nothing gives up its place. */
static void make_room(struct trp_control_ipc *ipc) {
  struct trp_peer *quietest = NULL;
  for (int i = 0; i < PEERS_MAX; i++) {
    struct trp_peer *peer = &ipc->peers[i];
    if (peer->phase == TRP_PEER_FREE || peer->closing) return; /* a place is becoming free */
    if (count_calls(ipc, peer) > 0) continue;
    if (quietest == NULL || peer->active_ns < quietest->active_ns) quietest = peer;
  }
  if (quietest != NULL) trp_peer_close(quietest);
}

/* Lets in who waits at the door, if there is a place. */
static void let_in(struct trp_control_ipc *ipc) {
  nng_stream *stream = ipc->at_door;
  for (int i = 0; i < PEERS_MAX && stream != NULL; i++) {
    struct trp_peer *peer = &ipc->peers[i];
    if (peer->phase != TRP_PEER_FREE || peer->stream != NULL) continue;
    ipc->at_door = NULL;
    trp_peer_begin(peer, stream);
    break;
  }
  accept_next(ipc);
}

static void on_accept(void *arg) {
  struct trp_control_ipc *ipc = arg;
  pthread_mutex_lock(&ipc->owner.lock);
  ipc->accepting = false;
  int rv = nng_aio_result(ipc->accept);
  if (rv == 0) {
    nng_stream *stream = nng_aio_get_output(ipc->accept, 0);
    if (ipc->leaving_ns != 0 || ipc->closed || !trp_peer_is_our_user(stream)) {
      nng_stream_free(stream); /* closes it too */
      accept_next(ipc);
    } else {
      ipc->at_door = stream;
      let_in(ipc);
      if (ipc->at_door != NULL) make_room(ipc);
    }
  } /* else: out of descriptors, say; the tick tries again, unless the listener was closed */
  pthread_mutex_unlock(&ipc->owner.lock);
}

static void on_gone(struct trp_peer_owner *owner, struct trp_peer *peer) {
  struct trp_control_ipc *ipc = of_owner(owner);
  for (int i = 0; i < TRP_CALLS_MAX; i++) {
    struct call *call = &ipc->calls[i];
    if (call->state == CALL_FREE || call->peer != peer) continue;
    call->peer = NULL;
    if (call->state != CALL_TAKEN) free_call(call);
  }
  if (ipc->leaving_ns != 0 || ipc->closed) return;
  resume_all(ipc);
  let_in(ipc);
}

/* ---- leaving --------------------------------------------------------------------------------- */

/* A client that has just been answered is given the time to read it and to hang up itself: nng
 * forgets what it has not read yet when it sees the other side's end. */
static bool may_go(struct trp_control_ipc *ipc, const struct trp_peer *peer, uint64_t now) {
  if (ipc->orphaned || now - ipc->leaving_ns > FAREWELL_NS) return true;
  if (peer->writing || count_calls(ipc, peer) > 0) return false;
  return peer->served_ns == 0 || now - peer->served_ns > LINGER_NS;
}

static void go_on_leaving(struct trp_control_ipc *ipc) {
  uint64_t now = trp_peer_now_ns();
  bool empty = true;
  for (int i = 0; i < PEERS_MAX; i++) {
    struct trp_peer *peer = &ipc->peers[i];
    if (peer->phase != TRP_PEER_FREE && may_go(ipc, peer, now)) trp_peer_close(peer);
    empty = empty && peer->phase == TRP_PEER_FREE;
  }
  /* nng closes a stream's descriptor later, in a thread of its own, and the system's account is
   * about to look for descriptors left behind. */
  bool late = now - ipc->leaving_ns > 2 * FAREWELL_NS;
  if (!late && (!empty || trp_control_path_connections(&ipc->path) > 0)) return;
  ipc->left = true;
  tell_actor(ipc);
}

static void begin_leaving(struct trp_control_ipc *ipc) {
  if (ipc->leaving_ns != 0) return;
  ipc->leaving_ns = trp_peer_now_ns();
  nng_stream_listener_close(ipc->listener);
  if (ipc->at_door != NULL) nng_stream_free(ipc->at_door);
  ipc->at_door = NULL;
  struct call *call;
  while ((call = oldest_call(ipc, CALL_WAITING, NULL)) != NULL) {
    call->state = CALL_TAKEN; /* so that the loop ends whatever becomes of it */
    refuse_call(ipc, call, TRP_STOPPED, "the system is stopping");
  }
  nng_aio_cancel(ipc->tick); /* its callback comes now, and then often */
}

/* A stop while the actor is down: nobody else bids the clients farewell, and nobody waits for it,
 * so they are let go at once. */
static void leave_if_orphaned(struct trp_control_ipc *ipc) {
  if (!ipc->down || ipc->leaving_ns != 0 || ipc->closed) return;
  const char *state = trp_system_state(ipc->system);
  if (strcmp(state, "stopping") != 0 && strcmp(state, "stopped") != 0) return;
  ipc->orphaned = true;
  begin_leaving(ipc);
  go_on_leaving(ipc);
}

/* ---- the tick -------------------------------------------------------------------------------- */

static void refuse_those_that_waited(struct trp_control_ipc *ipc) {
  struct call *call = oldest_call(ipc, CALL_WAITING, NULL);
  if (call == NULL || trp_peer_now_ns() - call->since_ns < WAIT_NS) return;
  call->state = CALL_TAKEN;
  refuse_call(ipc, call, TRP_TIMEOUT, "the control actor is down or busy, and took no request");
}

static void on_tick(void *arg) {
  struct trp_control_ipc *ipc = arg;
  pthread_mutex_lock(&ipc->owner.lock);
  if (!ipc->closed) {
    if (ipc->leaving_ns == 0) {
      refuse_those_that_waited(ipc);
      accept_next(ipc);
      leave_if_orphaned(ipc);
    }
    bool haste = ipc->leaving_ns != 0 || ipc->down;
    if (ipc->leaving_ns != 0 && !ipc->left) go_on_leaving(ipc);
    if (!ipc->left) nng_sleep_aio(haste ? HASTE_TICK_MS : TICK_MS, ipc->tick);
  }
  pthread_mutex_unlock(&ipc->owner.lock);
}

/* ---- the edge -------------------------------------------------------------------------------- */

static void bind_actor(struct trp_control_edge *edge, struct trp_system *system,
                       struct trp_ref slot) {
  struct trp_control_ipc *ipc = of_edge(edge);
  pthread_mutex_lock(&ipc->owner.lock);
  ipc->system = system;
  ipc->slot = slot;
  ipc->down = false;
  for (int i = 0; i < TRP_CALLS_MAX; i++) {
    struct call *call = &ipc->calls[i];
    if (call->state != CALL_TAKEN) continue;
    call->state = CALL_WAITING; /* an incarnation ended over it */
    call->since_ns = trp_peer_now_ns();
  }
  tell_actor(ipc);
  pthread_mutex_unlock(&ipc->owner.lock);
}

static void unbind_actor(struct trp_control_edge *edge) {
  struct trp_control_ipc *ipc = of_edge(edge);
  pthread_mutex_lock(&ipc->owner.lock);
  ipc->down = ipc->system != NULL;
  leave_if_orphaned(ipc);
  if (ipc->leaving_ns == 0) nng_aio_cancel(ipc->tick); /* from now on it comes often */
  pthread_mutex_unlock(&ipc->owner.lock);
}

static bool take_call(struct trp_control_edge *edge, struct trp_call *out) {
  struct trp_control_ipc *ipc = of_edge(edge);
  pthread_mutex_lock(&ipc->owner.lock);
  struct call *call = oldest_call(ipc, CALL_WAITING, NULL);
  if (call != NULL) {
    call->state = CALL_TAKEN;
    *out = (struct trp_call){.ticket = call->ticket,
                             .data = call->frame + call->way_bytes,
                             .bytes = call->frame_bytes - call->way_bytes,
                             .taken = call->taken++};
  }
  pthread_mutex_unlock(&ipc->owner.lock);
  return call != NULL;
}

static void give_answer(struct trp_control_edge *edge, uint64_t ticket, const void *data,
                        size_t bytes) {
  struct trp_control_ipc *ipc = of_edge(edge);
  pthread_mutex_lock(&ipc->owner.lock);
  struct call *call = find_call(ipc, ticket);
  if (call != NULL && call->state == CALL_TAKEN) answer_call(ipc, call, data, bytes);
  pthread_mutex_unlock(&ipc->owner.lock);
}

static bool is_gone(struct trp_control_edge *edge, uint64_t ticket) {
  struct trp_control_ipc *ipc = of_edge(edge);
  pthread_mutex_lock(&ipc->owner.lock);
  const struct call *call = find_call(ipc, ticket);
  bool gone = call == NULL || call->peer == NULL;
  pthread_mutex_unlock(&ipc->owner.lock);
  return gone;
}

static void farewell(struct trp_control_edge *edge) {
  struct trp_control_ipc *ipc = of_edge(edge);
  pthread_mutex_lock(&ipc->owner.lock);
  begin_leaving(ipc);
  if (ipc->left) tell_actor(ipc); /* it had left already, without this incarnation */
  pthread_mutex_unlock(&ipc->owner.lock);
}

static bool has_left(struct trp_control_edge *edge) {
  struct trp_control_ipc *ipc = of_edge(edge);
  pthread_mutex_lock(&ipc->owner.lock);
  bool left = ipc->left;
  pthread_mutex_unlock(&ipc->owner.lock);
  return left;
}

static const struct trp_control_edge_ops EDGE = {.bind = bind_actor,
                                                 .unbind = unbind_actor,
                                                 .take = take_call,
                                                 .answer = give_answer,
                                                 .gone = is_gone,
                                                 .farewell = farewell,
                                                 .left = has_left};

/* ---- opening and closing --------------------------------------------------------------------- */

static enum trp_err listen_there(struct trp_control_ipc *ipc, char *why, size_t why_bytes) {
  char url[TRP_SOCKET_PATH_BYTES + 8];
  snprintf(url, sizeof url, "ipc://%s", ipc->path.socket);
  int rv = nng_stream_listener_alloc(&ipc->listener, url);
  if (rv == 0) rv = nng_stream_listener_set_int(ipc->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
  if (rv == 0) rv = nng_stream_listener_listen(ipc->listener);
  if (rv == 0) return TRP_OK;
  if (why != NULL) snprintf(why, why_bytes, "%s: %s", ipc->path.socket, nng_strerror(rv));
  return rv == NNG_ENOMEM ? TRP_NO_MEMORY : TRP_SYSTEM;
}

static enum trp_err make_aios(struct trp_control_ipc *ipc) {
  bool made = nng_aio_alloc(&ipc->accept, on_accept, ipc) == 0 &&
              nng_aio_alloc(&ipc->tick, on_tick, ipc) == 0;
  if (!made) return TRP_NO_MEMORY;
  for (int i = 0; i < PEERS_MAX; i++) {
    if (trp_peer_init(&ipc->peers[i], &ipc->owner) != TRP_OK) return TRP_NO_MEMORY;
  }
  return TRP_OK;
}

/* nng starts its threads at its first use, which may be here, before the system's main has taken
 * the signals into its own hands; a thread that does not block them would be where they arrive. */
static enum trp_err open_without_signals(struct trp_control_ipc *ipc, char *why, size_t why_bytes) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  enum trp_err err = make_aios(ipc);
  if (err == TRP_OK) err = listen_there(ipc, why, why_bytes);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return err;
}

enum trp_err trp_control_ipc_open(struct trp_control_ipc **out, const char *system, char *why,
                                  size_t why_bytes) {
  struct trp_control_ipc *ipc = calloc(1, sizeof *ipc);
  if (ipc == NULL) return TRP_NO_MEMORY;
  ipc->edge.ops = &EDGE;
  ipc->owner.frame = on_frame;
  ipc->owner.sent = on_sent;
  ipc->owner.gone = on_gone;
  pthread_mutex_init(&ipc->owner.lock, NULL);
  enum trp_err err = trp_control_path_open(&ipc->path, system, why, why_bytes);
  if (err == TRP_OK) err = open_without_signals(ipc, why, why_bytes);
  if (err != TRP_OK) {
    trp_control_ipc_close(&ipc);
    return err;
  }
  pthread_mutex_lock(&ipc->owner.lock);
  accept_next(ipc);
  nng_sleep_aio(TICK_MS, ipc->tick);
  pthread_mutex_unlock(&ipc->owner.lock);
  *out = ipc;
  return TRP_OK;
}

/* First everything that could begin something is stopped, then the connections, then the memory. */
void trp_control_ipc_close(struct trp_control_ipc **taken) {
  struct trp_control_ipc *ipc = *taken;
  if (ipc == NULL) return;
  *taken = NULL;
  pthread_mutex_lock(&ipc->owner.lock);
  ipc->closed = true;
  if (ipc->listener != NULL) nng_stream_listener_close(ipc->listener);
  for (int i = 0; i < PEERS_MAX; i++) trp_peer_close(&ipc->peers[i]);
  pthread_mutex_unlock(&ipc->owner.lock);
  if (ipc->tick != NULL) nng_aio_stop(ipc->tick);
  if (ipc->accept != NULL) nng_aio_stop(ipc->accept);
  for (int i = 0; i < PEERS_MAX; i++) trp_peer_fini(&ipc->peers[i]);
  for (int i = 0; i < TRP_CALLS_MAX; i++) free_call(&ipc->calls[i]);
  if (ipc->at_door != NULL) nng_stream_free(ipc->at_door);
  if (ipc->tick != NULL) nng_aio_free(ipc->tick);
  if (ipc->accept != NULL) nng_aio_free(ipc->accept);
  if (ipc->listener != NULL) nng_stream_listener_free(ipc->listener);
  trp_control_path_close(&ipc->path);
  pthread_mutex_destroy(&ipc->owner.lock);
  free(ipc);
}

struct trp_control_edge *trp_control_ipc_edge(struct trp_control_ipc *ipc) {
  return &ipc->edge;
}

const char *trp_control_ipc_path(const struct trp_control_ipc *ipc) { return ipc->path.socket; }

void trp_control_ipc_leave(void *ipc) {
  trp_control_path_unlink(&((const struct trp_control_ipc *)ipc)->path);
}
