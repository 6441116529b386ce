#include "model/worker_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    THREADS_MAX = 64,
    SPINS_MAX = 2000, /* threads reach a barrier almost together; then the core is given away */
};

typedef struct scratch_area {
    void *memory;
    size_t bytes;
} scratch_area;

struct icl_worker_pool {
    pthread_mutex_t lock;
    pthread_cond_t work_ready, work_done;
    pthread_t threads[THREADS_MAX];
    int thread_count; /* the caller included */
    unsigned long generation;
    int working; /* helpers that have not finished the current generation */
    bool closing;
    icl_worker_job run;
    const void *job;
    atomic_size_t next_unit;
    atomic_int waiting; /* threads at the barrier */
    atomic_uint barriers_passed;
    atomic_bool failed;
    scratch_area scratches[THREADS_MAX], shared;
};

typedef struct helper {
    icl_worker_pool *pool;
    int thread;
} helper;

static void *helper_main(void *argument)
{
    const helper self = *(helper *)argument;
    free(argument);
    icl_worker_pool *pool = self.pool;
    unsigned long seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->generation == seen && !pool->closing)
            pthread_cond_wait(&pool->work_ready, &pool->lock);
        if (pool->closing) break;
        seen = pool->generation;
        pthread_mutex_unlock(&pool->lock);
        pool->run(pool, self.thread, pool->job);
        pthread_mutex_lock(&pool->lock);
        if (--pool->working == 0) pthread_cond_signal(&pool->work_done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

icl_worker_pool *icl_worker_pool_new(int thread_count)
{
    icl_worker_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work_ready, NULL);
    pthread_cond_init(&pool->work_done, NULL);
    pool->thread_count = 1;
    for (int i = 1; i < thread_count && i < THREADS_MAX; i++) {
        helper *self = malloc(sizeof *self);
        if (self == NULL) break;
        *self = (helper){ .pool = pool, .thread = i };
        if (pthread_create(&pool->threads[i], NULL, helper_main, self) != 0) {
            free(self);
            break;
        }
        pool->thread_count++;
    }
    return pool;
}

void icl_worker_pool_free(icl_worker_pool *pool)
{
    if (pool == NULL) return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 1; i < pool->thread_count; i++) pthread_join(pool->threads[i], NULL);
    for (int i = 0; i < THREADS_MAX; i++) free(pool->scratches[i].memory);
    free(pool->shared.memory);
    pthread_cond_destroy(&pool->work_ready);
    pthread_cond_destroy(&pool->work_done);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

int icl_worker_pool_size(const icl_worker_pool *pool)
{
    return pool->thread_count;
}

bool icl_worker_pool_run(icl_worker_pool *pool, icl_worker_job run, const void *job)
{
    pool->run = run;
    pool->job = job;
    atomic_store(&pool->next_unit, 0);
    atomic_store(&pool->failed, false);
    if (pool->thread_count > 1) {
        pthread_mutex_lock(&pool->lock);
        pool->working = pool->thread_count - 1;
        pool->generation++;
        pthread_cond_broadcast(&pool->work_ready);
        pthread_mutex_unlock(&pool->lock);
    }
    run(pool, 0, job);
    if (pool->thread_count > 1) {
        pthread_mutex_lock(&pool->lock);
        while (pool->working > 0) pthread_cond_wait(&pool->work_done, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
    }
    return !atomic_load(&pool->failed);
}

size_t icl_worker_take(icl_worker_pool *pool)
{
    return atomic_fetch_add(&pool->next_unit, 1);
}

void icl_worker_barrier(icl_worker_pool *pool)
{
    const unsigned passed = atomic_load(&pool->barriers_passed);
    if (atomic_fetch_add(&pool->waiting, 1) + 1 == pool->thread_count) {
        atomic_store(&pool->waiting, 0);
        atomic_store(&pool->next_unit, 0);
        atomic_fetch_add(&pool->barriers_passed, 1);
        return;
    }
    for (int spins = 0; atomic_load(&pool->barriers_passed) == passed; spins++)
        if (spins > SPINS_MAX) sched_yield();
}

static void *scratch_of(scratch_area *area, size_t bytes)
{
    bytes = (bytes + 63) & ~(size_t)63;
    if (area->bytes >= bytes) return area->memory;
    free(area->memory);
    area->memory = aligned_alloc(64, bytes);
    area->bytes = area->memory == NULL ? 0 : bytes;
    return area->memory;
}

void *icl_worker_scratch(icl_worker_pool *pool, int thread, size_t bytes)
{
    return scratch_of(&pool->scratches[thread], bytes);
}

void *icl_worker_shared_scratch(icl_worker_pool *pool, size_t bytes)
{
    return scratch_of(&pool->shared, bytes);
}

void icl_worker_fail(icl_worker_pool *pool)
{
    atomic_store(&pool->failed, true);
}
