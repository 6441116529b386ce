/* model/worker_pool.h - a few threads that run one job at a time, each with scratch memory of its
 * own.
 *
 * Idle helpers sleep: they must leave their core to the threads of the operations in between.
 */
#ifndef ICL_MODEL_WORKER_POOL_H
#define ICL_MODEL_WORKER_POOL_H

#include <stdbool.h>
#include <stddef.h>

typedef struct icl_worker_pool icl_worker_pool;

/* Runs on every thread of the pool, the caller's included; takes its share through icl_worker_take.
 */
typedef void (*icl_worker_job)(icl_worker_pool *pool, int thread, const void *job);

/* NULL when out of memory. Fewer threads than asked for are fine: results never depend on them. */
icl_worker_pool *icl_worker_pool_new(int thread_count);
void icl_worker_pool_free(icl_worker_pool *pool);
int icl_worker_pool_size(const icl_worker_pool *pool);

/* Returns when all threads are done; false when one of them called icl_worker_fail. */
bool icl_worker_pool_run(icl_worker_pool *pool, icl_worker_job run, const void *job);

/* ---- inside a job ---- */

/* The next unit of work nobody has taken: 0, 1, 2, ... */
size_t icl_worker_take(icl_worker_pool *pool);

/* Waits for all threads of the job, then counts units from 0 again. */
void icl_worker_barrier(icl_worker_pool *pool);

/* Scratch of a thread, aligned to 64 bytes, at least `bytes`; its old content may be lost. NULL
 * when out of memory. */
void *icl_worker_scratch(icl_worker_pool *pool, int thread, size_t bytes);

/* The same, one for all threads; call it before the job is run. */
void *icl_worker_shared_scratch(icl_worker_pool *pool, size_t bytes);

void icl_worker_fail(icl_worker_pool *pool);

#endif
