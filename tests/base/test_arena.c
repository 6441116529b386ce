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
    icl_arena arena = { 0 };
    unsigned char *pieces[500];
    size_t total = 0;
    for (size_t i = 0; i < 500; i++) {
        const size_t bytes = 1 + i * 7 % 301;
        pieces[i] = icl_arena_alloc(&arena, bytes);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        for (size_t b = 0; b < bytes; b++) assert_int_equal(pieces[i][b], 0);
        memset(pieces[i], (int)(i % 251) + 1, bytes);
        total += bytes;
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t b = 0; b < 1 + i * 7 % 301; b++) assert_int_equal(pieces[i][b], i % 251 + 1);
    assert_true(arena.allocated_bytes >= total);
    icl_arena_deinit(&arena);
}

static void test_arena__large_pieces_and_impossible_ones(void **state)
{
    icl_arena arena = { 0 };
    char *large = icl_arena_alloc(&arena, 1 << 20);
    assert_non_null(large);
    large[(1 << 20) - 1] = 'x';
    assert_null(icl_arena_alloc(&arena, SIZE_MAX));
    assert_non_null(icl_arena_alloc(&arena, 0));
    char *small = icl_arena_alloc(&arena, 1);
    assert_non_null(small);
    assert_int_equal(large[(1 << 20) - 1], 'x');
    icl_arena_deinit(&arena);
}

static void test_arena__an_emptied_arena_can_be_used_again(void **state)
{
    icl_arena arena = { 0 };
    icl_arena_deinit(&arena);
    assert_non_null(icl_arena_alloc(&arena, 10));
    icl_arena_deinit(&arena);
    assert_int_equal(arena.allocated_bytes, 0);
    assert_non_null(icl_arena_alloc(&arena, 10));
    icl_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena__pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_arena__large_pieces_and_impossible_ones),
        cmocka_unit_test(test_arena__an_emptied_arena_can_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
