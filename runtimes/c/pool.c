/*
 * The pool of pool.h, over POSIX threads and the atomic operations of GCC and Clang.
 *
 * A job is open while its gate is: a worker that finds it open enters, helps, and leaves; the caller works too, closes the gate when
 * nothing is left to begin, and waits for those inside. A worker that sleeps or comes late is not waited for. Each thread has a share
 * of the iterations, always the same neighbours, so that what it wrote in one loop is in its cache in the next; when it is through, it
 * helps the others with theirs.
 */
#define _POSIX_C_SOURCE 200112L
#include "pool.h"
#include <pthread.h>
#include <stdlib.h>

#define MOST 64
/* Turns of a waiting loop before a thread goes to sleep: some tens of microseconds. */
#define TURNS 2000
/* Nanoseconds of work that pay for waking a thread, and for fetching a part of it. */
#define WORTH_WAKING 10000.0f
#define WORTH_FETCHING 1000.0f
#define CLOSED 0x80000000u

typedef union worker {
  struct {
    sinter_pool *pool;
    int32_t index;
    pthread_t id;
    /* The rest of its share. */
    uint32_t next, end;
  } is;
  /* No two in one line of the cache. */
  char line[128];
} worker;

struct sinter_pool {
  pthread_mutex_t lock;
  pthread_cond_t wake, done;
  int32_t threads;
  uint32_t busy, stop, asleep;
  /* Counts the jobs. */
  uint32_t round;
  /* CLOSED, and how many workers are inside. */
  uint32_t gate;
  /* The job. Written while nobody is inside. */
  sinter_slice slice;
  const void *args;
  int32_t active;
  uint32_t chunk;
  worker workers[MOST];
};

static void rest(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__ARM_ARCH_7A__)
  __asm__ volatile("yield");
#endif
}

/* Works on thread `self`'s share, then on what is left of the others'. */
static void help(sinter_pool *p, int32_t self) {
  for (int32_t i = 0; i < p->active; i++) {
    worker *w = &p->workers[(self + i) % p->active];
    for (;;) {
      const uint32_t begin = __atomic_fetch_add(&w->is.next, p->chunk, __ATOMIC_RELAXED);
      if (begin >= w->is.end) break;
      const uint32_t end = w->is.end - begin > p->chunk ? begin + p->chunk : w->is.end;
      p->slice(p->args, (int32_t)begin, (int32_t)end, self);
    }
  }
}

/* Waits for another round than `seen` and gives it. */
static uint32_t next_round(sinter_pool *p, uint32_t seen) {
  uint32_t round;
  for (int turn = 0; turn < TURNS; turn++) {
    round = __atomic_load_n(&p->round, __ATOMIC_ACQUIRE);
    if (round != seen) return round;
    rest();
  }
  pthread_mutex_lock(&p->lock);
  __atomic_fetch_add(&p->asleep, 1, __ATOMIC_SEQ_CST);
  while ((round = __atomic_load_n(&p->round, __ATOMIC_SEQ_CST)) == seen) pthread_cond_wait(&p->wake, &p->lock);
  __atomic_fetch_sub(&p->asleep, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&p->lock);
  return round;
}
static void begin_round(sinter_pool *p) {
  __atomic_fetch_add(&p->round, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&p->asleep, __ATOMIC_SEQ_CST) == 0) return;
  pthread_mutex_lock(&p->lock);
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
}
static void *work(void *arg) {
  worker *self = arg;
  sinter_pool *p = self->is.pool;
  for (uint32_t seen = 0;;) {
    seen = next_round(p, seen);
    if (__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) return NULL;
    if ((__atomic_fetch_add(&p->gate, 1, __ATOMIC_ACQUIRE) & CLOSED) == 0 && self->is.index < p->active) help(p, self->is.index);
    /* The last one out tells the caller, who may sleep by now. */
    if (__atomic_fetch_sub(&p->gate, 1, __ATOMIC_ACQ_REL) == (CLOSED | 1)) {
      pthread_mutex_lock(&p->lock);
      pthread_cond_signal(&p->done);
      pthread_mutex_unlock(&p->lock);
    }
  }
}

void sinter_pool_run(sinter_pool *p, int32_t threads, sinter_slice slice, const void *args, int32_t count, float cost) {
  if (count <= 0) return;
  const int32_t most = p == NULL ? 1 : threads < p->threads ? threads : p->threads;
  const int32_t active = count < most ? count : most;
  if (active < 2 || (float)count * cost < WORTH_WAKING || __atomic_exchange_n(&p->busy, 1, __ATOMIC_ACQUIRE) != 0) {
    slice(args, 0, count, 0);
    return;
  }
  p->slice = slice;
  p->args = args;
  p->active = active;
  /* A few parts for each thread, so that one that is held up holds up no other, but not so small that fetching them shows. */
  const int32_t share = count / active;
  const float fetch = WORTH_FETCHING / cost;
  const int32_t least = fetch < (float)share ? (int32_t)fetch : share;
  p->chunk = (uint32_t)(share / 4 > least ? share / 4 : least > 0 ? least : 1);
  for (int32_t i = 0; i < active; i++) {
    p->workers[i].is.next = (uint32_t)((int64_t)count * i / active);
    p->workers[i].is.end = (uint32_t)((int64_t)count * (i + 1) / active);
  }
  __atomic_fetch_and(&p->gate, ~CLOSED, __ATOMIC_RELEASE);
  begin_round(p);
  help(p, 0);
  __atomic_fetch_or(&p->gate, CLOSED, __ATOMIC_SEQ_CST);
  for (int turn = 0; turn < TURNS && __atomic_load_n(&p->gate, __ATOMIC_ACQUIRE) != CLOSED; turn++) rest();
  if (__atomic_load_n(&p->gate, __ATOMIC_ACQUIRE) != CLOSED) {
    pthread_mutex_lock(&p->lock);
    while (__atomic_load_n(&p->gate, __ATOMIC_ACQUIRE) != CLOSED) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
  }
  __atomic_store_n(&p->busy, 0, __ATOMIC_RELEASE);
}

sinter_pool *sinter_pool_create(int threads) {
  sinter_pool *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->wake, NULL);
  pthread_cond_init(&p->done, NULL);
  p->gate = CLOSED;
  for (p->threads = 1; p->threads < threads && p->threads < MOST; p->threads++) {
    worker *w = &p->workers[p->threads];
    w->is.pool = p;
    w->is.index = p->threads;
    if (pthread_create(&w->is.id, NULL, work, w) != 0) break;
  }
  return p;
}

void sinter_pool_destroy(sinter_pool *p) {
  if (p == NULL) return;
  __atomic_store_n(&p->stop, 1, __ATOMIC_RELEASE);
  begin_round(p);
  for (int32_t i = 1; i < p->threads; i++) pthread_join(p->workers[i].is.id, NULL);
  pthread_cond_destroy(&p->done);
  pthread_cond_destroy(&p->wake);
  pthread_mutex_destroy(&p->lock);
  free(p);
}
