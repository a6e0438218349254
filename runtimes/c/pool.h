/* A few threads that share the work of a run. A pool serves any number of models, one run at a time. */
#ifndef SINTER_POOL_H
#define SINTER_POOL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sinter_pool sinter_pool;

/*
 * Starts `threads` - 1 threads: the one that runs a model works too. At most 64; where the system gives fewer, there are fewer. The
 * threads wait without using the processor, except for some tens of microseconds after they have worked. Null where there is no memory;
 * a null pool is the caller's thread alone.
 */
sinter_pool *sinter_pool_create(int threads);

/* Ends the threads. No run may be under way on the pool; it may be null. */
void sinter_pool_destroy(sinter_pool *pool);

/* A part of a loop, iterations `begin` to `end` - 1. Of the parts that run at the same time each has another `thread`, counted from 0. */
typedef void (*sinter_slice)(const void *args, int32_t begin, int32_t end, int32_t thread);

/*
 * Runs iterations 0 to `count` - 1, in any order, on at most `threads` threads of the pool, and returns when all are done. `cost` is about
 * how many nanoseconds one iteration takes: a loop that waking a thread does not pay for is run by the caller alone, as it is where the
 * pool is null or busy with another run.
 */
void sinter_pool_run(sinter_pool *pool, int32_t threads, sinter_slice slice, const void *args, int32_t count, float cost);

#ifdef __cplusplus
}
#endif
#endif
