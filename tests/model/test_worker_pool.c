/* The threads under the kernels; also run under the thread sanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/worker_pool.h"

enum { UNITS = 200, THREADS = 4 };

typedef struct two_phases {
    int *first, *second; /* [UNITS]; second[i] reads a neighbour of first */
} two_phases;

static void run_two_phases(icl_worker_pool *pool, int thread, const void *job)
{
    const two_phases *phases = job;
    int *scratch = icl_worker_scratch(pool, thread, sizeof *scratch);
    size_t unit;
    while ((unit = icl_worker_take(pool)) < UNITS) phases->first[unit] = (int)unit;
    icl_worker_barrier(pool);
    while ((unit = icl_worker_take(pool)) < UNITS) {
        *scratch = phases->first[UNITS - 1 - unit];
        phases->second[unit] = *scratch;
    }
}

/* Plain memory written before the barrier by one thread is read after it by another. */
static void test_worker_pool__units_are_done_once_and_phases_do_not_overlap(void **state)
{
    icl_worker_pool *pool = icl_worker_pool_new(THREADS);
    assert_non_null(pool);
    for (int round = 0; round < 200; round++) {
        int first[UNITS], second[UNITS];
        memset(first, 0xFF, sizeof first);
        const two_phases phases = { first, second };
        assert_true(icl_worker_pool_run(pool, run_two_phases, &phases));
        for (int i = 0; i < UNITS; i++) {
            assert_int_equal(first[i], i);
            assert_int_equal(second[i], UNITS - 1 - i);
        }
    }
    icl_worker_pool_free(pool);
}

static void fail_in_one_thread(icl_worker_pool *pool, int thread, const void *job)
{
    if (icl_worker_take(pool) == 0) icl_worker_fail(pool);
}

static void test_worker_pool__a_failure_is_reported_and_forgotten(void **state)
{
    icl_worker_pool *pool = icl_worker_pool_new(THREADS);
    int first[UNITS], second[UNITS];
    const two_phases phases = { first, second };
    assert_false(icl_worker_pool_run(pool, fail_in_one_thread, NULL));
    assert_true(icl_worker_pool_run(pool, run_two_phases, &phases));
    icl_worker_pool_free(pool);
}

static void test_worker_pool__scratch_is_aligned_and_kept(void **state)
{
    icl_worker_pool *pool = icl_worker_pool_new(1);
    assert_int_equal(icl_worker_pool_size(pool), 1);
    char *small = icl_worker_shared_scratch(pool, 100);
    assert_int_equal((uintptr_t)small % 64, 0);
    assert_ptr_equal(icl_worker_shared_scratch(pool, 64), small);
    icl_worker_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_pool__units_are_done_once_and_phases_do_not_overlap),
        cmocka_unit_test(test_worker_pool__a_failure_is_reported_and_forgotten),
        cmocka_unit_test(test_worker_pool__scratch_is_aligned_and_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
