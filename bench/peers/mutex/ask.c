/* ask.c - a request with its reply between two threads: the request carries a pointer to a slot
 * with a mutex and a condition of its own, where the asker waits for the answer. */
#include "bench/peers/mutex/queue.h"

struct reply {
  pthread_mutex_t mutex;
  pthread_cond_t arrived;
  uint64_t value;
  bool here;
};

struct request {
  uint64_t value;
  struct reply *reply; /* NULL ends the server */
};

static void *serve(void *arg) {
  struct queue *queue = arg;
  struct request request;
  for (;;) {
    queue_get(queue, &request);
    struct reply *reply = request.reply;
    if (reply == NULL) return NULL;
    pthread_mutex_lock(&reply->mutex);
    reply->value = request.value + 1;
    reply->here = true;
    pthread_cond_signal(&reply->arrived); /* under the mutex: the asker may take the slot away */
    pthread_mutex_unlock(&reply->mutex);
  }
}

static uint64_t ask(struct queue *queue, struct reply *reply, uint64_t value) {
  struct request request = {.value = value, .reply = reply};
  reply->here = false;
  queue_put(queue, &request);
  pthread_mutex_lock(&reply->mutex);
  while (!reply->here) pthread_cond_wait(&reply->arrived, &reply->mutex);
  uint64_t answer = reply->value;
  pthread_mutex_unlock(&reply->mutex);
  return answer;
}

static uint64_t run(uint64_t *rounds, uint64_t limit_ns) {
  struct reply reply = {.mutex = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER};
  struct queue queue;
  queue_init(&queue, QUEUE_ROOM, sizeof(struct request));
  pthread_t thread = thread_start(serve, &queue);

  uint64_t began_ns = peer_now_ns(), done = 0;
  while (done < *rounds && !peer_over(done, began_ns + limit_ns)) {
    peer_expect("the answer", ask(&queue, &reply, done), done + 1);
    done++;
  }
  uint64_t took_ns = peer_now_ns() - began_ns;

  struct request stop = {.reply = NULL};
  queue_put(&queue, &stop);
  thread_join(thread);
  queue_fini(&queue);
  *rounds = done;
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"rounds", 500000, UINT32_MAX}};
  peer_open(argc, argv, params, 1);
  uint64_t rounds = params[0].value, warm = peer_warm(rounds);
  run(&warm, PEER_WARM_NS);
  uint64_t took_ns = run(&rounds, PEER_RUN_NS);
  peer_tell_round("round_trip", rounds, took_ns);
  return 0;
}
