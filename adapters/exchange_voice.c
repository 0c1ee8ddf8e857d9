/* What clients are sent: data of the market, made once for all who are told alike, and what the
 * faults make of it. */
#include "adapters/exchange_sessions.h"

#include <stdlib.h>
#include <string.h>

enum {
  FRAMES_A_TURN = 256, /* of a replay, a client */
  RETRY_MS = 2,
  SPOILED = 4 /* one frame in so many is chosen by garbage, reorder and duplicate */
};

/* ---- sending --------------------------------------------------------------------------------- */

/* OK also where nothing may be sent; the client may be gone after another error. */
enum trp_err trp_exchange_send(struct trp_exchange *exchange, struct trp_exchange_client *client,
                               bool binary, const char *bytes, size_t size) {
  if (client->closing || client->ghost_ns != 0 ||
      trp_exchange_faulty(exchange, TRP_EXCHANGE_SILENCE)) {
    return TRP_OK;
  }
  enum trp_err err = exchange->net->ops->ws_send(exchange->net, client->link, binary, bytes, size);
  exchange->stats->frames_sent += err == TRP_OK;
  return err;
}

/* Something in place of a frame that no reader of the dialect can take for one. */
static struct trp_exchange_span spoil(struct trp_exchange *exchange, size_t size,
                                      const char *bytes) {
  struct trp_exchange_text *out = &exchange->spoiled;
  trp_exchange_text_clear(out);
  if (exchange->dialect->binary) {
    trp_exchange_text_raw(out, "\xff\xff\xff\xff", 4);
    trp_exchange_text_raw(out, bytes, size / 2);
  } else if (trp_exchange_fault_draw(exchange, 2)) {
    trp_exchange_text_raw(out, bytes, size / 2);
  } else {
    trp_exchange_text_add(out, "<html><body>502 Bad Gateway</body></html>");
  }
  return (struct trp_exchange_span){out->failed ? bytes : out->bytes,
                                    out->failed ? size : out->size};
}

/* The frame was in the dialect's kind of frames, as all data are. */
static enum trp_err send_late(struct trp_exchange *exchange, struct trp_exchange_client *client) {
  enum trp_err err = trp_exchange_send(exchange, client, exchange->dialect->binary,
                                       client->late.bytes, client->late.size);
  trp_exchange_text_clear(&client->late);
  return err;
}

void trp_exchange_send_late(struct trp_exchange *exchange, struct trp_exchange_client *client) {
  enum trp_err err = send_late(exchange, client);
  trp_exchange_sent(exchange, client, err);
}

/* A frame of data, with what the faults make of it. `channel` is any number of its stream. */
static enum trp_err send_data(struct trp_exchange *exchange, struct trp_exchange_client *client,
                              uint32_t channel, bool binary, struct trp_exchange_span frame) {
  bool late = client->late.size > 0;
  client->active_ns = exchange->now_ns;
  if (trp_exchange_faulty(exchange, TRP_EXCHANGE_REORDER) && !late &&
      trp_exchange_fault_draw(exchange, SPOILED)) {
    client->late_channel = channel;
    trp_exchange_text_clear(&client->late);
    trp_exchange_text_raw(&client->late, frame.bytes, frame.size);
    return TRP_OK;
  }
  if (trp_exchange_faulty(exchange, TRP_EXCHANGE_GARBAGE) &&
      trp_exchange_fault_draw(exchange, SPOILED)) {
    frame = spoil(exchange, frame.size, frame.bytes);
  }
  enum trp_err err = trp_exchange_send(exchange, client, binary, frame.bytes, frame.size);
  if (err == TRP_OK && trp_exchange_faulty(exchange, TRP_EXCHANGE_DUPLICATE) &&
      trp_exchange_fault_draw(exchange, SPOILED)) {
    err = trp_exchange_send(exchange, client, binary, frame.bytes, frame.size);
  }
  if (err == TRP_OK && late && client->late_channel == channel) {
    err = send_late(exchange, client);
  }
  return err;
}

/* What is to be done about a client that was sent something. */
void trp_exchange_sent(struct trp_exchange *exchange, struct trp_exchange_client *client,
                       enum trp_err err) {
  if (err == TRP_FULL) {
    exchange->stats->slow++;
    trp_exchange_cut(exchange, client, "does not take what it is sent");
  } else if (err != TRP_OK && err != TRP_WRONG_STATE) { /* its CLOSED is on the way */
    trp_exchange_cut(exchange, client, trp_err_text(err));
  }
}

/* ---- the market's voice ------------------------------------------------------------------------
 */

static bool anyone_hears(const struct trp_exchange *exchange, uint32_t channel) {
  TRP_EXCHANGE_EACH(exchange, client) {
    if (trp_exchange_hears(&client->session, channel)) {
      return true;
    }
  }
  return false;
}

/* Made once for all who are told alike: the common form 0, and the last other one. */
static void publish_channel(struct trp_exchange *exchange, uint32_t channel,
                            const struct trp_walk_event *event) {
  const struct trp_exchange_dialect *dialect = exchange->dialect;
  uint64_t special = 0; /* what exchange->special is in */
  bool common = false;
  TRP_EXCHANGE_EACH(exchange, client) {
    if (!trp_exchange_hears(&client->session, channel)) {
      continue;
    }
    uint64_t form = dialect->form(&client->session, channel, event);
    struct trp_exchange_text *text = form == 0 ? &exchange->common : &exchange->special;
    if (form == TRP_EXCHANGE_UNHEARD) {
      continue;
    }
    if (form == 0 ? !common : special != form) {
      trp_exchange_text_clear(text);
      dialect->tell(&exchange->market, channel, event, form, text);
      common = common || form == 0;
      special = form != 0 ? form : special;
    }
    if (text->failed) {
      trp_exchange_sent(exchange, client, TRP_NO_MEMORY);
    } else if (text->size > 0) {
      trp_exchange_sent(exchange, client,
                        send_data(exchange, client, channel, dialect->binary,
                                  (struct trp_exchange_span){text->bytes, text->size}));
    }
  }
}

void trp_exchange_publish(void *arg, const struct trp_walk_event *event) {
  struct trp_exchange *exchange = arg;
  uint32_t channel;
  for (uint32_t i = 0; (channel = exchange->dialect->channel(event, i)) != TRP_REPLAY_NONE; i++) {
    if (anyone_hears(exchange, channel)) {
      publish_channel(exchange, channel, event);
    }
  }
}

bool trp_exchange_heard(const struct trp_exchange *exchange) {
  TRP_EXCHANGE_EACH(exchange, client) {
    if (client->session.count > 0) {
      return true;
    }
  }
  return false;
}

/* The subscription whose frame comes next, by due time and then by the capture's order. */
static struct trp_exchange_sub *next_sub(const struct trp_exchange *exchange,
                                         const struct trp_exchange_client *client,
                                         uint64_t *due_ns) {
  const struct trp_replay *replay = exchange->market.replay;
  struct trp_exchange_sub *first = NULL;
  uint64_t first_order = UINT64_MAX;
  *due_ns = UINT64_MAX;
  for (uint32_t i = 0; i < client->session.count; i++) {
    struct trp_exchange_sub *sub = &client->session.subs[i];
    uint64_t due = trp_replay_due_ns(replay, &sub->cursor);
    if (due == UINT64_MAX || due > *due_ns) {
      continue;
    }
    uint64_t order = trp_replay_frame(replay, &sub->cursor).order;
    if (due < *due_ns || order < first_order) {
      first = sub;
      first_order = order;
      *due_ns = due;
    }
  }
  return first;
}

static enum trp_err send_frame(struct trp_exchange *exchange, struct trp_exchange_client *client,
                               const struct trp_exchange_sub *sub) {
  struct trp_replay_frame frame = trp_replay_frame(exchange->market.replay, &sub->cursor);
  struct trp_exchange_span span = {frame.bytes, frame.size};
  if (exchange->dialect->retell != NULL) {
    span = exchange->dialect->retell(&client->session, sub, &frame, &exchange->common);
  }
  return span.bytes == NULL ? TRP_NO_MEMORY
                            : send_data(exchange, client, sub->cursor.stream, frame.binary, span);
}

static void replay_client(struct trp_exchange *exchange, struct trp_exchange_client *client) {
  for (int i = 0; i < FRAMES_A_TURN; i++) {
    uint64_t due_ns;
    struct trp_exchange_sub *sub = next_sub(exchange, client, &due_ns);
    if (sub == NULL || due_ns > exchange->now_ns) {
      return;
    }
    enum trp_err err = send_frame(exchange, client, sub);
    if (err == TRP_FULL) { /* its socket decides how fast; the pong rule ends a dead one */
      client->retry_ns = exchange->now_ns + RETRY_MS * TRP_NS_PER_MS;
      return;
    }
    if (err == TRP_WRONG_STATE) {
      client->closing = true; /* its CLOSED is on the way */
      return;
    }
    if (err != TRP_OK) {
      trp_exchange_cut(exchange, client, trp_err_text(err));
      return;
    }
    sub->cursor.next++;
  }
}

uint64_t trp_exchange_frame_due(const struct trp_exchange *exchange,
                                const struct trp_exchange_client *client) {
  uint64_t due_ns;
  (void)next_sub(exchange, client, &due_ns);
  return due_ns;
}

void trp_exchange_replay(struct trp_exchange *exchange) {
  if (trp_exchange_faulty(exchange, TRP_EXCHANGE_SILENCE)) {
    return; /* held back, not lost: the recording goes on afterwards */
  }
  TRP_EXCHANGE_EACH(exchange, client) {
    if (!client->closing && client->ghost_ns == 0 && client->retry_ns <= exchange->now_ns) {
      replay_client(exchange, client);
    }
  }
}
