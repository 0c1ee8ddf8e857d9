/* Long because each verb of the protocol has its few lines here. */
#include "actors/control.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "actors/control_body.h"
#include "actors/control_fault.h"
#include "proto/text.h"

static const uint64_t FEED_STATE_NS = 500 * TRP_NS_PER_MS;
static const uint64_t FEED_COMMAND_NS = 2500 * TRP_NS_PER_MS; /* a disconnect may take 2 s */
static const uint64_t ORDER_NS = 5 * TRP_NS_PER_S;
static const uint64_t LOOK_NS = 20 * TRP_NS_PER_MS; /* into the journal, while somebody watches */

/* A request that waits for something. */
struct job {
  uint64_t ticket; /* 0: free */
  const struct trp_verb *verb;
  struct trp_request request;
  uint64_t correlation; /* of the question to who carries it out; 0: none */
  uint64_t until_ns;    /* watch */
  uint32_t views_left;  /* status: feeds and the monitor, where they have not answered */
  struct trp_feed_view views[TRP_CONTROL_FEEDS_MAX];
  struct trp_monitor_view monitor;
};

struct control {
  const struct trp_control_options *options;
  struct trp_control_edge *edge;
  struct trp_pack pack; /* the answer that is being written */
  struct job jobs[TRP_CALLS_MAX];
  uint64_t timer; /* runs while somebody watches; 0: not */
  bool leaving;   /* the system stops; held until the edge has left */
};

/* ---- answering ------------------------------------------------------------------------------- */

static struct trp_kept *find_kept(struct control *c, uint64_t id) {
  for (uint64_t i = 0; i < TRP_KEPT_MAX && i < c->edge->kept_count; i++) {
    if (c->edge->kept[i].id == id) return &c->edge->kept[i];
  }
  return NULL;
}

static void keep(struct control *c, uint64_t id, enum trp_err status, const char *text) {
  if (find_kept(c, id) != NULL) return;
  struct trp_kept *kept = &c->edge->kept[c->edge->kept_count++ % TRP_KEPT_MAX];
  *kept = (struct trp_kept){.id = id, .status = status};
  trp_text_copy(kept->text, sizeof kept->text, text);
}

static void send_plain(struct control *c, uint64_t ticket, uint64_t id, enum trp_err status,
                       const char *text) {
  CHECK(trp_answer_plain(&c->pack, id, status, text) == TRP_OK);
  c->edge->ops->answer(c->edge, ticket, c->pack.data, c->pack.bytes);
}

/* Ends a job with a status and words, and with it the repetitions that joined it meanwhile. */
__attribute__((format(printf, 4, 5))) static void finish(struct control *c, struct job *job,
                                                         enum trp_err status, const char *format,
                                                         ...) {
  char text[TRP_ANSWER_TEXT_MAX + 1];
  uint64_t id = job->request.id;
  bool acts = job->verb->acts;
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  if (acts) keep(c, id, status, text);
  for (int i = 0; i < TRP_CALLS_MAX; i++) {
    struct job *each = &c->jobs[i];
    bool same = acts && each->ticket != 0 && each->verb->acts && each->request.id == id;
    if (each != job && !same) continue;
    send_plain(c, each->ticket, id, status, text);
    each->ticket = 0;
  }
}

/* Ends a job with the body that was packed behind trp_answer_begin. */
static void finish_packed(struct control *c, struct job *job) {
  enum trp_err err = trp_pack_done(&c->pack);
  if (err != TRP_OK) {
    finish(c, job, err, "the answer cannot be given: %s", trp_err_text(err));
    return;
  }
  c->edge->ops->answer(c->edge, job->ticket, c->pack.data, c->pack.bytes);
  job->ticket = 0;
}

static struct trp_pack *begin(struct control *c, const struct job *job, enum trp_err status,
                              const char *text) {
  trp_pack_reset(&c->pack);
  trp_answer_begin(&c->pack, job->request.id, status, text);
  return &c->pack;
}

/* ---- who is meant ---------------------------------------------------------------------------- */

static bool find_slot(struct trp_self *self, const char *name, struct trp_actor_info *info) {
  for (size_t i = 0; trp_system_actor(trp_self_system(self), i, info); i++) {
    if (strcmp(info->name, name) == 0) return true;
  }
  return false;
}

/* The living incarnation of that name; where there is none, the job ends saying why. */
static struct trp_ref reach(struct trp_self *self, struct control *c, struct job *job,
                            const char *name) {
  struct trp_actor_info info;
  struct trp_ref ref = trp_whereis(self, name);
  if (!trp_ref_is_nobody(ref)) return ref;
  if (find_slot(self, name, &info)) {
    finish(c, job, TRP_DEAD, "\"%s\" is %s", name, trp_actor_state_text(info.state));
  } else {
    finish(c, job, TRP_NO_ACTOR, "no actor \"%s\"", name);
  }
  return TRP_NOBODY;
}

static void ask_for(struct trp_self *self, struct control *c, struct job *job, struct trp_ref to,
                    uint16_t type, const void *body, size_t bytes, uint64_t timeout_ns) {
  enum trp_err err = trp_ask(self, to, type, body, bytes, timeout_ns, &job->correlation);
  if (err != TRP_OK) finish(c, job, err, "it could not be asked: %s", trp_err_text(err));
}

static void tell(struct trp_self *self, struct control *c, struct job *job, struct trp_ref to,
                 uint16_t type, const void *body, size_t bytes) {
  enum trp_err err = trp_send(self, to, type, body, bytes);
  finish(c, job, err, "%s", err == TRP_OK ? "delivered" : trp_err_text(err));
}

/* ---- the verbs ------------------------------------------------------------------------------- */

static void answer_status(struct trp_self *self, struct control *c, struct job *job) {
  trp_control_pack_status(begin(c, job, TRP_OK, ""), self, c->options, job->views, &job->monitor);
  finish_packed(c, job);
}

static void ask_monitor(struct trp_self *self, struct control *c, struct job *job) {
  static const struct trp_monitor_query query;
  struct trp_monitor_view *view = &job->monitor;
  struct trp_ref monitor = trp_whereis(self, c->options->monitor);
  view->err = TRP_DEAD;
  if (trp_ref_is_nobody(monitor)) return;
  view->err = trp_ask(self, monitor, TRP_MONITOR_QUERY, &query, sizeof query, FEED_STATE_NS,
                      &view->correlation);
  job->views_left += view->err == TRP_OK;
}

static void do_status(struct trp_self *self, struct control *c, struct job *job) {
  static const struct trp_feed_query query;
  for (size_t i = 0; i < c->options->feed_count; i++) {
    struct trp_feed_view *view = &job->views[i];
    struct trp_ref feed = trp_whereis(self, c->options->feeds[i]);
    view->err = TRP_DEAD;
    if (trp_ref_is_nobody(feed)) continue;
    view->err = trp_ask(self, feed, TRP_FEED_QUERY, &query, sizeof query, FEED_STATE_NS,
                        &view->correlation);
    job->views_left += view->err == TRP_OK;
  }
  if (c->options->monitor != NULL) ask_monitor(self, c, job);
  if (job->views_left == 0) answer_status(self, c, job);
}

static void do_actors(struct trp_self *self, struct control *c, struct job *job) {
  trp_control_pack_actors(begin(c, job, TRP_OK, ""), self);
  finish_packed(c, job);
}

static void do_threads(struct trp_self *self, struct control *c, struct job *job) {
  trp_control_pack_threads(begin(c, job, TRP_OK, ""), self);
  finish_packed(c, job);
}

static void do_stop(struct trp_self *self, struct control *c, struct job *job) {
  finish(c, job, TRP_OK, "stopping");
  trp_system_stop(trp_self_system(self), "ordered over the control socket");
}

static void do_order(struct trp_self *self, struct control *c, struct job *job) {
  bool restart = strcmp(job->request.verb, "restart") == 0;
  struct trp_child_command command = {.verb = ""};
  struct trp_actor_info info;
  trp_text_copy(command.verb, sizeof command.verb, restart ? "restart" : "stop");
  trp_text_copy(command.name, sizeof command.name, job->request.name);
  if (c->options->supervisor == NULL) {
    finish(c, job, TRP_NOT_ALLOWED, "no supervisor takes orders here");
    return;
  }
  bool me = strcmp(command.name, trp_self_name(self)) == 0;
  if (me && !restart) { /* nobody could order it back */
    finish(c, job, TRP_NOT_ALLOWED,
           "use 'stop' to stop the system: control cannot be ordered back");
    return;
  }
  if (!restart || !find_slot(self, command.name, &info)) { /* one that is down can be restarted */
    if (trp_ref_is_nobody(reach(self, c, job, command.name))) return;
  }
  struct trp_ref supervisor = reach(self, c, job, c->options->supervisor);
  if (trp_ref_is_nobody(supervisor)) return;
  if (me) { /* who ends cannot answer afterwards */
    tell(self, c, job, supervisor, TRP_CHILD_COMMAND, &command, sizeof command);
    return;
  }
  ask_for(self, c, job, supervisor, TRP_CHILD_COMMAND, &command, sizeof command, ORDER_NS);
}

static bool is_feed(const struct control *c, const char *name) {
  for (size_t i = 0; i < c->options->feed_count; i++) {
    if (strcmp(c->options->feeds[i], name) == 0) return true;
  }
  return false;
}

static void do_feed(struct trp_self *self, struct control *c, struct job *job) {
  const struct trp_request *request = &job->request;
  struct trp_feed_command command = {.verb = ""};
  struct trp_ref feed = reach(self, c, job, request->name);
  if (trp_ref_is_nobody(feed)) return;
  if (!is_feed(c, request->name)) {
    finish(c, job, TRP_INVALID, "\"%s\" is no feed", request->name);
    return;
  }
  if (strlen(request->argument) >= sizeof command.symbol) {
    finish(c, job, TRP_TOO_BIG, "a symbol has up to %zu bytes", sizeof command.symbol - 1);
    return;
  }
  trp_text_copy(command.verb, sizeof command.verb, request->verb);
  trp_text_copy(command.symbol, sizeof command.symbol, request->argument);
  ask_for(self, c, job, feed, TRP_FEED_COMMAND, &command, sizeof command, FEED_COMMAND_NS);
}

static void do_send(struct trp_self *self, struct control *c, struct job *job) {
  struct trp_operator message = {.text = ""};
  struct trp_ref to = reach(self, c, job, job->request.name);
  if (trp_ref_is_nobody(to)) return;
  trp_text_copy(message.text, sizeof message.text, job->request.argument);
  tell(self, c, job, to, TRP_OPERATOR, &message, sizeof message);
}

static void do_fault(struct trp_self *self, struct control *c, struct job *job) {
  struct trp_fault fault = {.text = ""};
  struct trp_actor_info info;
  if (!c->options->allow_faults) {
    finish(c, job, TRP_NOT_ALLOWED, "faults are not allowed here: start with --allow-faults");
    return;
  }
  struct trp_ref to = reach(self, c, job, job->request.name);
  if (trp_ref_is_nobody(to)) return;
  if (strlen(job->request.argument) >= sizeof fault.text) {
    finish(c, job, TRP_TOO_BIG, "a fault has up to %zu bytes", sizeof fault.text - 1);
    return;
  }
  const char *kind = find_slot(self, job->request.name, &info) ? info.kind : "";
  if (!trp_control_fault_known(kind, job->request.argument)) {
    finish(c, job, TRP_INVALID, "not a fault of \"%s\": it takes %s", job->request.name,
           trp_control_faults(kind));
    return;
  }
  trp_text_copy(fault.text, sizeof fault.text, job->request.argument);
  tell(self, c, job, to, TRP_FAULT, &fault, sizeof fault);
}

static void do_log(struct trp_self *self, struct control *c, struct job *job) {
  static const char *const LEVELS[] = {"debug", "info", "warn", "error", "none"};
  for (size_t i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++) {
    if (strcmp(job->request.argument, LEVELS[i]) != 0) continue;
    trp_system_log_level(trp_self_system(self), (enum trp_log_level)(TRP_LOG_DEBUG + i));
    finish(c, job, TRP_OK, "the log shows %s", LEVELS[i]);
    return;
  }
  finish(c, job, TRP_INVALID, "the levels are debug, info, warn, error and none");
}

/* ---- watching -------------------------------------------------------------------------------- */

static void answer_watch(struct trp_self *self, struct control *c, struct job *job,
                         enum trp_err status, const char *text) {
  trp_control_pack_events(begin(c, job, status, text), self, job->request.after);
  finish_packed(c, job);
}

/* True while it goes on waiting. */
static bool watch_on(struct trp_self *self, struct control *c, struct job *job) {
  struct trp_journal_entry entry;
  bool due = trp_now_ns(self) >= job->until_ns || c->edge->ops->gone(c->edge, job->ticket);
  if (!due &&
      !trp_system_journal_next(trp_self_system(self), job->request.after, &entry, NULL, 0)) {
    return true;
  }
  answer_watch(self, c, job, TRP_OK, "");
  return false;
}

static void do_watch(struct trp_self *self, struct control *c, struct job *job) {
  job->until_ns = trp_now_ns(self) + job->request.wait_ms * TRP_NS_PER_MS;
  if (!watch_on(self, c, job) || c->timer != 0) return;
  if (trp_timer_start(self, LOOK_NS, LOOK_NS, 0, &c->timer) != TRP_OK) {
    finish(c, job, TRP_LIMIT, "nothing can be waited for now");
  }
}

static void on_timer(struct trp_self *self, struct control *c) {
  bool waits = false;
  for (int i = 0; i < TRP_CALLS_MAX; i++) {
    struct job *job = &c->jobs[i];
    if (job->ticket == 0 || job->until_ns == 0) continue;
    waits = watch_on(self, c, job) || waits;
  }
  if (waits) return;
  trp_timer_cancel(self, c->timer);
  c->timer = 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

typedef void verb_fn(struct trp_self *self, struct control *c, struct job *job);

static const struct {
  const char *verb;
  verb_fn *act;
} VERBS[] = {{"status", do_status},    {"actors", do_actors},    {"threads", do_threads},
             {"stop", do_stop},        {"stop-actor", do_order}, {"restart", do_order},
             {"connect", do_feed},     {"disconnect", do_feed},  {"subscribe", do_feed},
             {"unsubscribe", do_feed}, {"send", do_send},        {"log", do_log},
             {"watch", do_watch},      {"fault", do_fault}};

static verb_fn *find_act(const char *verb) {
  for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++) {
    if (strcmp(VERBS[i].verb, verb) == 0) return VERBS[i].act;
  }
  return NULL;
}

static struct job *find_job_of(struct control *c, uint64_t id) {
  for (int i = 0; i < TRP_CALLS_MAX; i++) {
    if (c->jobs[i].ticket != 0 && c->jobs[i].request.id == id) return &c->jobs[i];
  }
  return NULL;
}

static struct job *new_job(struct control *c, const struct trp_call *call,
                           const struct trp_request *request) {
  struct job *job = c->jobs;
  while (job < c->jobs + TRP_CALLS_MAX && job->ticket != 0) job++;
  CHECK(job < c->jobs + TRP_CALLS_MAX); /* the edge holds no more than that */
  *job = (struct job){
      .ticket = call->ticket, .verb = trp_verb_find(request->verb), .request = *request};
  return job;
}

static void take_call(struct trp_self *self, struct control *c, const struct trp_call *call) {
  struct trp_request request;
  enum trp_err err = trp_request_decode(call->data, call->bytes, &request);
  verb_fn *act = err == TRP_OK ? find_act(request.verb) : NULL;
  if (act == NULL) {
    if (err == TRP_OK) err = TRP_INVALID;
    send_plain(c, call->ticket, request.id, err, trp_err_text(err));
    return;
  }
  bool acts = trp_verb_find(request.verb)->acts;
  const struct trp_kept *kept = acts ? find_kept(c, request.id) : NULL;
  if (kept != NULL) {
    send_plain(c, call->ticket, request.id, kept->status, kept->text);
    return;
  }
  bool joins = acts && find_job_of(c, request.id) != NULL;
  struct job *job = new_job(c, call, &request);
  if (call->taken > 1 || (call->taken == 1 && acts)) {
    finish(c, job, TRP_DEAD, "control ended over this request; it may have been carried out");
    return;
  }
  if (!joins) act(self, c, job);
}

/* ---- answers from others --------------------------------------------------------------------- */

static struct trp_feed_view *find_view(struct job *job, uint64_t correlation) {
  for (int i = 0; i < TRP_CONTROL_FEEDS_MAX; i++) {
    if (job->views[i].correlation == correlation) return &job->views[i];
  }
  return NULL;
}

static void take_feed_state(struct trp_self *self, struct control *c, struct job *job,
                            struct trp_feed_view *view, const struct trp_msg *msg) {
  const struct trp_feed_state *state = trp_msg_feed_state(msg);
  const struct trp_ask_failed *failed = trp_msg_ask_failed(msg);
  view->correlation = 0;
  view->err = state != NULL ? TRP_OK : failed != NULL ? (enum trp_err)failed->status : TRP_PROTOCOL;
  if (state != NULL) view->state = *state;
  if (--job->views_left == 0) answer_status(self, c, job);
}

static void take_monitor_report(struct trp_self *self, struct control *c, struct job *job,
                                const struct trp_msg *msg) {
  struct trp_monitor_view *view = &job->monitor;
  const struct trp_monitor_report *said = trp_msg_monitor_report(msg);
  const struct trp_ask_failed *failed = trp_msg_ask_failed(msg);
  view->correlation = 0;
  view->err = said != NULL ? TRP_OK : failed != NULL ? (enum trp_err)failed->status : TRP_PROTOCOL;
  if (said != NULL) view->report = *said;
  if (--job->views_left == 0) answer_status(self, c, job);
}

static void take_result(struct control *c, struct job *job, const struct trp_msg *msg) {
  const struct trp_result *result = trp_msg_result(msg);
  const struct trp_ask_failed *failed = trp_msg_ask_failed(msg);
  if (result != NULL) {
    finish(c, job, (enum trp_err)result->status, "%s", result->text);
  } else if (failed != NULL) {
    enum trp_err err = (enum trp_err)failed->status;
    finish(c, job, err, "\"%s\": no answer: %s", job->request.name, trp_err_text(err));
  } else {
    finish(c, job, TRP_PROTOCOL, "\"%s\" answered with %s", job->request.name,
           trp_type_name(msg->type));
  }
}

static void on_answer(struct trp_self *self, struct control *c, const struct trp_msg *msg) {
  for (int i = 0; i < TRP_CALLS_MAX; i++) {
    struct job *job = &c->jobs[i];
    if (job->ticket == 0) continue;
    struct trp_feed_view *view = find_view(job, msg->correlation);
    if (view != NULL) {
      take_feed_state(self, c, job, view, msg);
      return;
    }
    if (job->monitor.correlation == msg->correlation) {
      take_monitor_report(self, c, job, msg);
      return;
    }
    if (job->correlation == msg->correlation) {
      take_result(c, job, msg);
      return;
    }
  }
}

/* ---- the kind -------------------------------------------------------------------------------- */

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct control *c = state;
  c->options = args;
  if (c->options == NULL || c->options->edge == NULL) return TRP_INVALID;
  if (c->options->feed_count > TRP_CONTROL_FEEDS_MAX) return TRP_LIMIT;
  c->edge = c->options->edge;
  trp_pack_init(&c->pack, TRP_ANSWER_BYTES_MAX);
  c->edge->ops->bind(c->edge, trp_self_system(self), trp_self_ref(self));
  return TRP_OK;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct control *c = state;
  if (msg->correlation != 0) {
    on_answer(self, c, msg);
  } else if (msg->type == TRP_TIMER) {
    on_timer(self, c);
  } else if (msg->type == TRP_OPERATOR) {
    trp_log(self, TRP_LOG_INFO, "operator.said", "text=\"%s\"", trp_msg_operator(msg)->text);
  }
  return TRP_OK;
}

static enum trp_err ready(struct trp_self *self, void *state) {
  struct control *c = state;
  struct trp_call call;
  if (c->leaving && c->edge->ops->left(c->edge)) {
    c->leaving = false;
    trp_stop_release(self);
  }
  /* One that stops alone leaves what waits to its next incarnation. */
  while (!trp_self_stopping(self) && c->edge->ops->take(c->edge, &call)) take_call(self, c, &call);
  return TRP_OK;
}

static void stop(struct trp_self *self, void *state) {
  struct control *c = state;
  bool whole = strcmp(trp_system_state(trp_self_system(self)), "stopping") == 0;
  const char *text = whole ? "the system is stopping" : "control is stopping";
  c->timer = 0; /* cancelled already */
  for (int i = 0; i < TRP_CALLS_MAX; i++) {
    struct job *job = &c->jobs[i];
    if (job->ticket == 0) continue;
    if (!whole && !job->verb->acts) continue; /* the next incarnation will serve it */
    if (job->until_ns != 0) {
      answer_watch(self, c, job, TRP_STOPPED, text);
    } else {
      finish(c, job, TRP_STOPPED, "%s", text);
    }
  }
  if (!whole) return;
  c->leaving = true;
  trp_stop_hold(self);
  c->edge->ops->farewell(c->edge);
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  struct control *c = state;
  (void)self;
  (void)reason;
  if (c->edge != NULL) c->edge->ops->unbind(c->edge);
  trp_pack_fini(&c->pack);
}

const struct trp_kind trp_control_kind = {.name = "control",
                                          .never_pooled = true,
                                          .state_bytes = sizeof(struct control),
                                          .start = start,
                                          .receive = receive,
                                          .ready = ready,
                                          .stop = stop,
                                          .end = end};
