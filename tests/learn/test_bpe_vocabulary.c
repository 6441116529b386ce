/* Words of another model's vocabulary count as training text: whole words alone, the early ones more,
 * small and capitalised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <gguf.h>

#include "learn/bpe.h"

static const char path[] = "test_bpe_vocabulary.gguf";

static void write_vocabulary(const char **tokens, size_t count)
{
    struct gguf_context *gguf = gguf_init_empty();
    gguf_set_arr_str(gguf, "tokenizer.ggml.tokens", tokens, count);
    assert_true(gguf_write_to_file(gguf, path, false));
    gguf_free(gguf);
}

static bool has_piece(const icl_bpe *bpe, const char *piece)
{
    for (int32_t token = 0; token < (int32_t)icl_bpe_vocab_count(bpe); token++) {
        size_t length = 0;
        const char *bytes = icl_bpe_piece(bpe, token, &length);
        if (length == strlen(piece) && memcmp(bytes, piece, length) == 0) return true;
    }
    return false;
}

static void test_bpe_vocabulary__whole_words_become_tokens(void **state)
{
    (void)state;
#define WORD "\xe2\x96\x81"
    const char *tokens[] = { "[CLS]", WORD "river", "stone", WORD "7up", WORD "q", WORD "lantern" };
    const icl_bpe_options options = { .vocab_count = 400 };
    icl_bpe_trainer *trainer = NULL;
    icl_bpe *bpe = NULL;
    write_vocabulary(tokens, sizeof tokens / sizeof *tokens);
    assert_int_equal(icl_bpe_trainer_new(&trainer), ICL_OK);
    assert_int_equal(icl_bpe_trainer_feed_vocabulary(trainer, path), ICL_OK);
    assert_int_equal(icl_bpe_train(&bpe, trainer, &options), ICL_OK);
    assert_true(has_piece(bpe, " river"));
    assert_true(has_piece(bpe, " River"));
    assert_true(has_piece(bpe, " lantern"));
    assert_false(has_piece(bpe, "stone")); /* a fragment */
    assert_false(has_piece(bpe, "up"));    /* not letters alone */
    assert_false(has_piece(bpe, " q"));
    icl_bpe_free(bpe);
    icl_bpe_trainer_free(trainer);
    remove(path);
}

static void test_bpe_vocabulary__a_file_without_words_is_refused(void **state)
{
    (void)state;
    const char *tokens[] = { "stone", "[SEP]" };
    icl_bpe_trainer *trainer = NULL;
    write_vocabulary(tokens, 2);
    assert_int_equal(icl_bpe_trainer_new(&trainer), ICL_OK);
    assert_int_equal(icl_bpe_trainer_feed_vocabulary(trainer, path), ICL_EUNSUPPORTED);
    assert_string_equal(icl_error_message(),
                        "test_bpe_vocabulary.gguf: its vocabulary has no whole words");
    remove(path);
    assert_int_equal(icl_bpe_trainer_feed_vocabulary(trainer, path), ICL_EIO);
    icl_bpe_trainer_free(trainer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bpe_vocabulary__whole_words_become_tokens),
        cmocka_unit_test(test_bpe_vocabulary__a_file_without_words_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
