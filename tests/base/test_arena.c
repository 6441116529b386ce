#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void test_arena__pieces_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    enum { PIECES = 500 };
    icl_arena arena = { 0 };
    unsigned char *pieces[PIECES];
    size_t sizes[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        sizes[i] = i * 37 % 301;
        pieces[i] = icl_arena_alloc(&arena, sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)(i & 0xFF), sizes[i]);
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(pieces[i][k], i & 0xFF);
    icl_arena_deinit(&arena);
}

static void test_arena__large_pieces_fit_and_impossible_ones_do_not(void **state)
{
    (void)state;
    icl_arena arena = { 0 };
    unsigned char *large = icl_arena_alloc(&arena, 1 << 20);
    assert_non_null(large);
    memset(large, 1, 1 << 20);
    assert_true(arena.allocated_bytes >= 1 << 20);
    assert_null(icl_arena_alloc(&arena, SIZE_MAX));
    assert_null(icl_arena_alloc(&arena, SIZE_MAX - 7));
    icl_arena_deinit(&arena);
    assert_int_equal(arena.allocated_bytes, 0);
    assert_non_null(icl_arena_alloc(&arena, 8)); /* an emptied arena works again */
    icl_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena__pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_arena__large_pieces_fit_and_impossible_ones_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
