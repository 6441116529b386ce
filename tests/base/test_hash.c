#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"

/* The value xxhsum -H2 prints for an empty file. */
static void test_hash__empty_input_has_the_published_value(void **state)
{
    char hex[33];
    icl_hash_hex(hex, icl_hash("", 0));
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
}

static void test_hash__pieces_give_the_hash_of_the_whole(void **state)
{
    unsigned char bytes[5000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 31 + i / 7);
    const icl_hash128 whole = icl_hash(bytes, sizeof bytes);
    for (size_t step = 1; step < sizeof bytes; step = step * 3 + 1) {
        icl_hash_state hashing;
        icl_hash_begin(&hashing);
        for (size_t at = 0; at < sizeof bytes; at += step)
            icl_hash_add(&hashing, bytes + at, at + step > sizeof bytes ? sizeof bytes - at : step);
        const icl_hash128 pieces = icl_hash_end(&hashing);
        assert_true(pieces.low == whole.low && pieces.high == whole.high);
    }
}

static void test_hash__a_file_has_the_hash_of_its_bytes(void **state)
{
    char path[] = "test_hash-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    static char bytes[200000];
    memset(bytes, 'z', sizeof bytes);
    assert_int_equal(icl_file_write_atomic(path, bytes, sizeof bytes), ICL_OK);
    icl_hash128 found;
    assert_int_equal(icl_hash_file(&found, path), ICL_OK);
    const icl_hash128 wanted = icl_hash(bytes, sizeof bytes);
    assert_true(found.low == wanted.low && found.high == wanted.high);
    unlink(path);
    assert_int_equal(icl_hash_file(&found, path), ICL_EIO);
    assert_non_null(strstr(icl_error_message(), path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__empty_input_has_the_published_value),
        cmocka_unit_test(test_hash__pieces_give_the_hash_of_the_whole),
        cmocka_unit_test(test_hash__a_file_has_the_hash_of_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
