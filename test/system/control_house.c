#include "test/system/control_house.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "actors/event_engine.h"
#include "actors/feed_state.h"
#include "actors/supervisor.h"
#include "actors/symbol_table.h"

struct house_heard house_heard;

static char folder[64];

/* ---- the feed -------------------------------------------------------------------------------- */

/* An event of each kind that has numbers for words. */
static void write_journal(struct trp_self *self) {
  struct trp_feed_state state = {
      .state = TRP_FEED_LIVE, .mode = TRP_FEED_STREAM, .error = TRP_CLOSED, .name = "feed"};
  struct trp_feed_gap gap = {.symbol = trp_symbol_intern("BTCUSDT.BINANCE"), .name = "feed"};
  struct trp_event_gap lost = {.lost = 3, .reason = TRP_FULL, .publisher = "feed"};
  trp_journal(self, TRP_FEED_STATE, &state, sizeof state);
  trp_journal(self, TRP_FEED_GAP, &gap, sizeof gap);
  trp_journal(self, TRP_EVENT_GAP, &lost, sizeof lost);
}

static enum trp_err feed_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type == TRP_OPERATOR) atomic_fetch_add(&house_heard.texts, 1);
  if (msg->type == TRP_OPERATOR && strcmp(trp_msg_operator(msg)->text, "journal") == 0) {
    write_journal(self);
  }
  if (msg->type == TRP_FEED_QUERY) {
    struct trp_feed_state answer = {
        .state = TRP_FEED_LIVE, .mode = TRP_FEED_STREAM, .symbols = 2, .updates = 77};
    snprintf(answer.name, sizeof answer.name, "feed");
    trp_reply(self, msg->token, TRP_FEED_STATE, &answer, sizeof answer);
  }
  if (msg->type == TRP_FEED_COMMAND) {
    struct trp_result answer = {.status = TRP_OK};
    const struct trp_feed_command *command = trp_msg_feed_command(msg);
    atomic_fetch_add(&house_heard.commands, 1);
    snprintf(answer.text, sizeof answer.text, "%s %s", command->verb, command->symbol);
    trp_reply(self, msg->token, TRP_RESULT, &answer, sizeof answer);
  }
  return TRP_OK;
}

static const struct trp_kind feed_kind = {.name = "feed", .receive = feed_receive};

/* ---- the house ------------------------------------------------------------------------------- */

const char *house_folder(void) {
  if (folder[0] != '\0') return folder;
  snprintf(folder, sizeof folder, "/tmp/troupe-control-XXXXXX");
  CHECK(mkdtemp(folder) != NULL);
  setenv("XDG_RUNTIME_DIR", folder, 1);
  return folder;
}

void house_remove_folder(void) {
  char inner[80];
  snprintf(inner, sizeof inner, "%s/troupe", folder);
  rmdir(inner);
  rmdir(folder);
}

static void add(struct house *house, const char *name, const struct trp_kind *kind,
                const void *args, const char *supervisor) {
  CHECK(trp_system_add(house->system,
                       &(struct trp_spec){
                           .name = name, .kind = kind, .args = args, .supervisor = supervisor}) ==
        TRP_OK);
}

void house_build(struct house *house, const char *name, bool allow_faults, const char *report) {
  static const struct trp_supervisor_options supervisor = {.events = "event_engine"};
  static const char *const feeds[] = {"feed"};
  char why[256];
  house_folder();
  *house = (struct house){.ipc = NULL};
  atomic_store(&house_heard.texts, 0);
  atomic_store(&house_heard.commands, 0);
  CHECK(trp_control_ipc_open(&house->ipc, name, why, sizeof why) == TRP_OK);
  house->control = (struct trp_control_options){.edge = trp_control_ipc_edge(house->ipc),
                                                .supervisor = "supervisor",
                                                .feeds = feeds,
                                                .feed_count = 1,
                                                .allow_faults = allow_faults};
  struct trp_system_options options = {.name = name,
                                       .allow_faults = true,
                                       .log_fd = -1,
                                       .quiet_report = true,
                                       .report_json = report};
  CHECK(trp_system_new(&house->system, &options) == TRP_OK);
  add(house, "supervisor", &trp_supervisor_kind, &supervisor, NULL);
  add(house, "event_engine", &trp_event_engine_kind, NULL, "supervisor");
  add(house, "control", &trp_control_kind, &house->control, "supervisor");
  add(house, "feed", &feed_kind, NULL, "supervisor");
}

void house_open(struct house *house, bool allow_faults) {
  house_build(house, "house", allow_faults, NULL);
  CHECK(trp_system_start(house->system, NULL, 0) == TRP_OK);
  CHECK(trp_control_client_open(&house->client, trp_control_ipc_path(house->ipc)) == TRP_OK);
}

void house_close(struct house *house) {
  trp_control_client_close(&house->client);
  trp_system_stop(house->system, "the test is over");
  (void)!trp_system_wait(house->system, 5 * TRP_NS_PER_S);
  trp_control_ipc_close(&house->ipc);
  trp_system_destroy(&house->system);
}

int house_ask(struct house *house, const struct trp_request *request, struct trp_answer *answer) {
  struct trp_request with_id = *request;
  if (with_id.id == 0) with_id.id = trp_control_client_id();
  enum trp_err err =
      trp_control_client_ask(house->client, &with_id, request->wait_ms + 6000, answer);
  return err == TRP_OK ? (int)answer->status : -1;
}

int house_order(struct house *house, const char *verb, const char *name, const char *argument) {
  struct trp_request request = {.id = 0};
  struct trp_answer answer;
  snprintf(request.verb, sizeof request.verb, "%s", verb);
  snprintf(request.name, sizeof request.name, "%s", name);
  snprintf(request.argument, sizeof request.argument, "%s", argument);
  return house_ask(house, &request, &answer);
}

uint64_t house_incarnation(struct house *house, const char *name, uint64_t at_least) {
  struct trp_actor_info info;
  uint64_t end = house_now_ms() + 2000, seen = 0;
  while (house_now_ms() < end) {
    for (size_t i = 0; trp_system_actor(house->system, i, &info); i++) {
      bool it = strcmp(info.name, name) == 0 && info.state == TRP_ACTOR_RUNNING;
      if (it) seen = info.incarnation;
    }
    if (seen >= at_least) break;
    house_nap_ms(2);
  }
  return seen;
}

bool house_find(const struct trp_value *body, const char *list, const char *name,
                struct trp_value *out) {
  struct trp_value rows;
  struct trp_walk walk;
  if (!trp_value_find(body, list, &rows)) return false;
  trp_walk_init(&walk, &rows);
  while (trp_walk_next(&walk, out)) {
    if (house_says(out, "name", name)) return true;
  }
  return false;
}

bool house_says(const struct trp_value *map, const char *key, const char *text) {
  struct trp_value value;
  return trp_value_find(map, key, &value) && trp_value_is_text(&value, text);
}

uint64_t house_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void house_nap_ms(uint32_t ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
}

/* ---- raw hands ------------------------------------------------------------------------------- */

int raw_connect(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

bool raw_send(int fd, const void *data, size_t bytes) {
  while (bytes > 0) {
    ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data = (const char *)data + sent;
    bytes -= (size_t)sent;
  }
  return true;
}

bool raw_read(int fd, void *data, size_t bytes) {
  uint64_t end = house_now_ms() + 3000;
  while (bytes > 0 && house_now_ms() < end) {
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    if (poll(&poller, 1, 100) <= 0) continue;
    ssize_t got = read(fd, data, bytes);
    if (got <= 0) return false;
    data = (char *)data + got;
    bytes -= (size_t)got;
  }
  return bytes == 0;
}

bool raw_ends(int fd, int timeout_ms) {
  uint64_t end = house_now_ms() + (uint64_t)timeout_ms;
  while (house_now_ms() < end) {
    char away[4096];
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    if (poll(&poller, 1, 50) > 0 && read(fd, away, sizeof away) <= 0) return true;
  }
  return false;
}

int raw_greet(const char *path) {
  static const uint8_t greeting[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
  uint8_t theirs[8];
  int fd = raw_connect(path);
  if (fd < 0) return -1;
  bool good = raw_send(fd, greeting, sizeof greeting) && raw_read(fd, theirs, sizeof theirs) &&
              memcmp(theirs, "\0SP\0\0\x31\0\0", 8) == 0;
  if (good) return fd;
  close(fd);
  return -1;
}

bool raw_request(int fd, uint32_t word, const struct trp_request *request) {
  uint8_t frame[9 + 4 + TRP_REQUEST_BYTES_MAX] = {1};
  size_t bytes = TRP_REQUEST_BYTES_MAX;
  if (trp_request_encode(request, frame + 13, &bytes) != TRP_OK) return false;
  frame[7] = (uint8_t)((bytes + 4) >> 8);
  frame[8] = (uint8_t)(bytes + 4);
  for (int i = 0; i < 4; i++) frame[9 + i] = (uint8_t)(word >> (24 - 8 * i));
  frame[9] |= 0x80;
  return raw_send(fd, frame, 13 + bytes);
}
