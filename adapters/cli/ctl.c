/* troupe ctl: orders to a running system, and looks into it, over its control socket. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/cli.h"
#include "adapters/cli/ctl.h"
#include "adapters/control_path.h"
#include "proto/text.h"

enum { LOOK_TIMEOUT_MS = 2500, ACT_TIMEOUT_MS = 3500, ORDER_TIMEOUT_MS = 6000 };

static const char usage[] =
    "usage: troupe ctl [--socket PATH] [--json] COMMAND\n"
    "\n"
    "  status                   the system, its actors, its feeds and the process\n"
    "  actors                   what each actor does and holds\n"
    "  threads                  every thread of the process\n"
    "  watch                    what happens, a line each: crashes, restarts, stalls; until "
    "Ctrl-C\n"
    "  stop                     stop the system\n"
    "  stop NAME                stop one actor\n"
    "  restart NAME             restart one actor\n"
    "  connect NAME             connect a feed\n"
    "  disconnect NAME          disconnect a feed\n"
    "  subscribe NAME SYMBOL    subscribe a feed to a symbol, as in BTCUSDT.BINANCE\n"
    "  unsubscribe NAME SYMBOL  take that back\n"
    "  send NAME MESSAGE        send an actor a text\n"
    "  log LEVEL                debug, info, warn, error or none\n"
    "  fault NAME TEXT          have an actor fail, where the system allows it: panic, exit,\n"
    "                           error, stall:MS; an exchange also drop, gap, expire, silence:MS,\n"
    "                           half-open:MS, refuse:MS, garbage:MS, reorder:MS, duplicate:MS,\n"
    "                           shutdown:MS, 429:MS, 418:MS, and mixed:SEED:MS for all of them\n"
    "\n"
    "  --socket PATH   the system's socket; found by itself where one system runs\n"
    "  --json          the answer as JSON; for watch, an object a line\n"
    "  --count N       watch: end after N events\n"
    "  --duration S    watch: end after S seconds\n"
    "  --new           watch: leave out what happened before\n"
    "  --help          this text\n"
    "\n"
    "Exit status: 0 done, 1 refused or failed, 2 wrong use.\n";

struct settings {
  const char *socket;
  bool json, help;
  struct trp_ctl_watch watch;
  struct trp_request request;
};

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("troupe ctl: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
}

/* ---- the command line ------------------------------------------------------------------------ */

static bool take_seconds(const char *text, uint64_t *ms) {
  char *rest;
  double seconds = strtod(text, &rest);
  bool good = rest != text && *rest == '\0' && seconds > 0 && seconds <= 1e9;
  if (good) *ms = (uint64_t)(seconds * 1000) + 1;
  if (!good) complain("--duration takes seconds, not '%s'", text);
  return good;
}

static bool take_count(const char *text, uint64_t *count) {
  char *rest;
  errno = 0;
  *count = strtoull(text, &rest, 10);
  bool good = text[0] >= '0' && text[0] <= '9' && *rest == '\0' && errno == 0 && *count > 0;
  if (!good) complain("--count takes a number from 1 up, not '%s'", text);
  return good;
}

static bool take_options(int argc, char **argv, struct settings *settings) {
  static const struct option OPTIONS[] = {{"socket", required_argument, NULL, 's'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"count", required_argument, NULL, 'c'},
                                          {"duration", required_argument, NULL, 'd'},
                                          {"new", no_argument, NULL, 'n'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
  bool good = true;
  optind = 0;
  for (int option; good && (option = getopt_long(argc, argv, "hj", OPTIONS, NULL)) != -1;) {
    switch (option) {
      case 's':
        settings->socket = optarg;
        break;
      case 'j':
        settings->json = settings->watch.json = true;
        break;
      case 'c':
        good = take_count(optarg, &settings->watch.count);
        break;
      case 'd':
        good = take_seconds(optarg, &settings->watch.duration_ms);
        break;
      case 'n':
        settings->watch.only_new = true;
        break;
      case 'h':
        settings->help = true;
        return true;
      default:
        good = false;
        break; /* getopt has said what is wrong */
    }
  }
  return good;
}

static bool take_text(const char *what, const char *text, char *out, size_t size) {
  size_t length = strlen(text);
  if (length == 0 || length >= size || !trp_text_valid(text, length)) {
    complain("%s is a text of 1 to %zu bytes", what, size - 1);
    return false;
  }
  trp_text_copy(out, size, text);
  return true;
}

static bool take_command(int words, char **word, struct trp_request *request) {
  if (words == 0) {
    complain("a command is missing");
    return false;
  }
  const char *verb = strcmp(word[0], "stop") == 0 && words > 1 ? "stop-actor" : word[0];
  const struct trp_verb *known = trp_verb_find(verb);
  if (known == NULL) {
    complain("there is no command '%s'", word[0]);
    return false;
  }
  int needs = (known->name == TRP_NEED_YES) + (known->argument == TRP_NEED_YES);
  if (words - 1 != needs) {
    complain("'%s' takes %s, not %d", word[0],
             needs == 0   ? "no words behind it"
             : needs == 1 ? "one word behind it"
                          : "two words behind it",
             words - 1);
    return false;
  }
  trp_text_copy(request->verb, sizeof request->verb, verb);
  char **next = &word[1];
  if (known->name == TRP_NEED_YES &&
      !take_text("NAME", *next++, request->name, sizeof request->name)) {
    return false;
  }
  return known->argument != TRP_NEED_YES ||
         take_text("the last word", *next, request->argument, sizeof request->argument);
}

/* ---- the socket ------------------------------------------------------------------------------ */

static bool find_socket(char out[TRP_SOCKET_PATH_BYTES]) {
  static char sockets[TRP_SOCKETS_MAX][TRP_SOCKET_PATH_BYTES];
  char looked[3 * TRP_SOCKET_PATH_BYTES];
  size_t count = trp_control_path_find(sockets, looked, sizeof looked);
  if (count == 1) {
    memcpy(out, sockets[0], TRP_SOCKET_PATH_BYTES);
    return true;
  }
  if (count == 0) {
    complain("no troupe system is running: looked at %s", looked);
    return false;
  }
  complain("%zu systems are running; say which with --socket:", count);
  for (size_t i = 0; i < count; i++) fprintf(stderr, "  --socket %s\n", sockets[i]);
  return false;
}

static void complain_about_socket(const char *path, enum trp_err err) {
  switch (err) {
    case TRP_NO_ACTOR:
      complain("no troupe system is running: there is no %s", path);
      break;
    case TRP_CONNECT:
      complain("no troupe system is running: nobody listens at %s", path);
      break;
    case TRP_NOT_ALLOWED:
      complain("%s belongs to somebody else", path);
      break;
    case TRP_INVALID:
      complain("%s is no socket", path);
      break;
    case TRP_TIMEOUT:
      complain("%s: somebody listens there and says nothing", path);
      break;
    case TRP_TOO_BIG:
      complain("%s is too long for a socket", path);
      break;
    default:
      complain("%s: %s", path, trp_err_text(err));
      break;
  }
}

static struct trp_control_client *open_client(const char *given) {
  char found[TRP_SOCKET_PATH_BYTES];
  struct trp_control_client *client = NULL;
  if (given == NULL && !find_socket(found)) return NULL;
  const char *path = given != NULL ? given : found;
  enum trp_err err = trp_control_client_open(&client, path);
  if (err != TRP_OK) complain_about_socket(path, err);
  return client;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static uint32_t timeout_of(const char *verb) {
  bool order = strcmp(verb, "restart") == 0 || strcmp(verb, "stop-actor") == 0;
  return order ? ORDER_TIMEOUT_MS : trp_verb_find(verb)->acts ? ACT_TIMEOUT_MS : LOOK_TIMEOUT_MS;
}

static void print_json(const struct trp_value *value) {
  (void)!trp_value_json(value, trp_json_to_file, stdout);
  putchar('\n');
}

/* What has no body of its own, as JSON. */
static void print_outcome(const char *status, const char *text) {
  uint8_t room[512];
  struct trp_pack pack;
  struct trp_value value;
  size_t used;
  trp_pack_init_fixed(&pack, room, sizeof room);
  trp_pack_map(&pack, 2);
  trp_pack_member_text(&pack, "status", status);
  trp_pack_member_text(&pack, "text", text);
  if (trp_pack_done(&pack) != TRP_OK) return;
  if (trp_value_open(pack.data, pack.bytes, &used, &value) == TRP_OK) print_json(&value);
}

static int show_answer(const struct settings *settings, const struct trp_answer *answer) {
  const char *verb = settings->request.verb;
  if (answer->status != TRP_OK) {
    const char *name = trp_err_name((enum trp_err)answer->status);
    complain("%s", answer->text[0] != '\0' ? answer->text : name);
    if (settings->json) print_outcome(name, answer->text);
    return TRP_CTL_FAILED;
  }
  if (settings->json && answer->body.kind != TRP_VALUE_NIL) {
    print_json(&answer->body);
  } else if (settings->json) {
    print_outcome(trp_err_name(TRP_OK), answer->text);
  } else if (strcmp(verb, "status") == 0) {
    trp_ctl_show_status(stdout, &answer->body);
  } else if (strcmp(verb, "actors") == 0) {
    trp_ctl_show_actors(stdout, &answer->body);
  } else if (strcmp(verb, "threads") == 0) {
    trp_ctl_show_threads(stdout, &answer->body);
  } else {
    puts(answer->text[0] != '\0' ? answer->text : "done");
  }
  return TRP_CTL_OK;
}

static int ask(struct trp_control_client *client, struct settings *settings) {
  struct trp_answer answer;
  uint32_t timeout_ms = timeout_of(settings->request.verb);
  settings->request.id = trp_control_client_id();
  enum trp_err err = trp_control_client_ask(client, &settings->request, timeout_ms, &answer);
  if (err == TRP_OK) return show_answer(settings, &answer);
  if (err == TRP_CLOSED && strcmp(settings->request.verb, "stop") == 0) {
    complain("the system has ended");
    return TRP_CTL_OK;
  }
  if (err == TRP_TIMEOUT) {
    complain("no answer within %u ms", timeout_ms);
  } else {
    complain("%s", err == TRP_CLOSED ? "the system has ended" : trp_err_text(err));
  }
  return TRP_CTL_FAILED;
}

int trp_cli_ctl(int argc, char **argv) {
  struct settings settings = {.socket = NULL};
  bool good = take_options(argc, argv, &settings);
  if (good && settings.help) {
    fputs(usage, stdout);
    return TRP_CTL_OK;
  }
  if (!good || !take_command(argc - optind, argv + optind, &settings.request)) {
    fputs("Try 'troupe ctl --help'.\n", stderr);
    return TRP_CTL_WRONG_USE;
  }
  struct trp_control_client *client = open_client(settings.socket);
  if (client == NULL) return TRP_CTL_FAILED;
  bool watches = strcmp(settings.request.verb, "watch") == 0;
  int status = watches ? trp_ctl_watch(client, &settings.watch) : ask(client, &settings);
  trp_control_client_close(&client);
  if (fflush(stdout) != 0 && status == TRP_CTL_OK) status = TRP_CTL_FAILED;
  return status;
}
