/* Training and encoding against the PyPI package tokenizers (golden/bpe_cases.jsonl), and the laws
 * that no golden file states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/text.h"
#include "learn/bpe_model.h"

enum { SPECIALS_MAX = 4, GOLDEN_CASES = 70 };

/* ---- golden cases ---- */

static const char *string_at(const json_t *array, size_t index, size_t *out_length)
{
    const json_t *string = json_array_get(array, index);
    *out_length = json_string_length(string);
    return json_string_value(string);
}

static icl_bpe *train_case(const json_t *row)
{
    const json_t *texts = json_object_get(row, "texts");
    const json_t *specials = json_object_get(row, "specials");
    const char *spellings[SPECIALS_MAX + 1] = { NULL };
    for (size_t i = 0; i < json_array_size(specials); i++)
        spellings[i] = json_string_value(json_array_get(specials, i));
    const icl_bpe_options options = {
        .vocab_count = (size_t)json_integer_value(json_object_get(row, "vocab_count")),
        .pair_count_min = (uint64_t)json_integer_value(json_object_get(row, "pair_count_min")),
        .specials = spellings,
    };
    icl_bpe_trainer *trainer = NULL;
    icl_bpe *bpe = NULL;
    assert_int_equal(icl_bpe_trainer_new(&trainer), ICL_OK);
    for (size_t i = 0; i < json_array_size(texts); i++) {
        size_t length = 0;
        const char *text = string_at(texts, i, &length);
        assert_int_equal(icl_bpe_trainer_feed(trainer, text, length, 1), ICL_OK);
    }
    assert_int_equal(icl_bpe_train(&bpe, trainer, &options), ICL_OK);
    icl_bpe_trainer_free(trainer);
    return bpe;
}

static void check_vocabulary(const icl_bpe *bpe, const json_t *row)
{
    const json_t *vocab = json_object_get(row, "vocab"), *merges = json_object_get(row, "merges");
    const size_t before = json_array_size(json_object_get(row, "specials")) + 256;
    assert_int_equal(icl_bpe_vocab_count(bpe), before + json_array_size(vocab));
    for (size_t i = 0; i < json_array_size(vocab); i++)
        assert_string_equal(icl_word_table_at(&bpe->spellings, before + i, NULL),
                            json_string_value(json_array_get(vocab, i)));

    assert_int_equal(icl_bpe_merge_count(bpe), json_array_size(merges));
    icl_text merge = { 0 };
    for (size_t i = 0; i < json_array_size(merges); i++) {
        int32_t pair[2];
        icl_bpe_merge(bpe, i, pair);
        icl_text_clear(&merge);
        icl_text_printf(&merge, "%s %s", icl_word_table_at(&bpe->spellings, (size_t)pair[0], NULL),
                        icl_word_table_at(&bpe->spellings, (size_t)pair[1], NULL));
        assert_string_equal(merge.bytes, json_string_value(json_array_get(merges, i)));
    }
    icl_text_deinit(&merge);
}

static void check_encoding(const icl_bpe *bpe, const json_t *row)
{
    const json_t *probes = json_object_get(row, "probes");
    icl_tokens ids = { 0 };
    for (size_t i = 0; i < json_array_size(probes); i++) {
        const json_t *probe = json_array_get(probes, i), *text = json_object_get(probe, "text");
        const json_t *expected = json_object_get(probe, "ids");
        ids.count = 0;
        assert_int_equal(
            icl_bpe_encode(bpe, json_string_value(text), json_string_length(text), &ids), ICL_OK);
        assert_int_equal(ids.count, json_array_size(expected));
        for (size_t k = 0; k < ids.count; k++)
            assert_int_equal(ids.items[k], json_integer_value(json_array_get(expected, k)));
    }
    icl_tokens_deinit(&ids);
}

static void test_bpe__merges_vocabulary_and_ids_equal_the_reference(void **state)
{
    const char *source = getenv("ICL_SOURCE");
    assert_non_null(source);
    icl_text path = { 0 }, line = { 0 };
    icl_text_printf(&path, "%s/tests/golden/bpe_cases.jsonl", source);
    FILE *file = fopen(path.bytes, "rb");
    assert_non_null(file);
    bool too_long = false;
    size_t count = 0;
    for (; icl_line_read(&line, file, &too_long); count++) {
        json_t *row = json_loadb(line.bytes, line.length, JSON_ALLOW_NUL, NULL);
        assert_non_null(row);
        icl_bpe *bpe = train_case(row);
        check_vocabulary(bpe, row);
        check_encoding(bpe, row);
        icl_bpe_free(bpe);
        json_decref(row);
    }
    assert_int_equal(count, GOLDEN_CASES);
    fclose(file);
    icl_text_deinit(&line);
    icl_text_deinit(&path);
}

/* ---- laws ---- */

static const char text[] =
    "the cat sat on the mat, the other cat didn't; naïve 12 312 \n\n the end";

static icl_bpe *train_text(size_t vocab_count, const char *const *specials)
{
    icl_bpe_trainer *trainer = NULL;
    icl_bpe *bpe = NULL;
    const icl_bpe_options options = { .vocab_count = vocab_count,
                                      .pair_count_min = 2,
                                      .specials = specials };
    assert_int_equal(icl_bpe_trainer_new(&trainer), ICL_OK);
    assert_int_equal(icl_bpe_trainer_feed(trainer, text, strlen(text), 1), ICL_OK);
    const icl_status status = icl_bpe_train(&bpe, trainer, &options);
    assert_true((status == ICL_OK) == (bpe != NULL));
    icl_bpe_trainer_free(trainer);
    return bpe;
}

static void assert_same_merges(const icl_bpe *a, const icl_bpe *b)
{
    assert_int_equal(icl_bpe_merge_count(a), icl_bpe_merge_count(b));
    for (size_t i = 0; i < icl_bpe_merge_count(a); i++) {
        int32_t left[2], right[2];
        icl_bpe_merge(a, i, left);
        icl_bpe_merge(b, i, right);
        assert_memory_equal(left, right, sizeof left);
    }
}

static void test_bpe__a_text_fed_many_times_counts_as_often(void **state)
{
    const icl_bpe_options options = { .vocab_count = 300, .pair_count_min = 2 };
    icl_bpe_trainer *one_by_one = NULL, *at_once = NULL;
    icl_bpe *a = NULL, *b = NULL;
    assert_int_equal(icl_bpe_trainer_new(&one_by_one), ICL_OK);
    assert_int_equal(icl_bpe_trainer_new(&at_once), ICL_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(icl_bpe_trainer_feed(one_by_one, "low lower", 9, 1), ICL_OK);
    assert_int_equal(icl_bpe_trainer_feed(one_by_one, "new", 3, 1), ICL_OK);
    assert_int_equal(icl_bpe_trainer_feed(at_once, "low lower", 9, 3), ICL_OK);
    assert_int_equal(icl_bpe_trainer_feed(at_once, "new", 3, 1), ICL_OK);
    assert_int_equal(icl_bpe_train(&a, one_by_one, &options), ICL_OK);
    assert_int_equal(icl_bpe_train(&b, at_once, &options), ICL_OK);
    assert_true(icl_bpe_merge_count(a) > 3);
    assert_same_merges(a, b);
    icl_bpe_free(a);
    icl_bpe_free(b);
    icl_bpe_trainer_free(one_by_one);
    icl_bpe_trainer_free(at_once);
}

static void test_bpe__pieces_of_an_encoded_text_join_to_its_bytes(void **state)
{
    icl_bpe *bpe = train_text(290, NULL);
    icl_tokens ids = { 0 };
    icl_text joined = { 0 };
    static const char nul_inside[] = "cat\0mat\xC3\xA9\xF0\x9F\x98\x80";
    assert_int_equal(icl_bpe_encode(bpe, text, strlen(text), &ids), ICL_OK);
    const size_t first_count = ids.count;
    assert_int_equal(icl_bpe_encode(bpe, nul_inside, sizeof nul_inside - 1, &ids), ICL_OK);
    assert_true(ids.count > first_count);
    for (size_t i = 0; i < ids.count; i++) {
        size_t length = 0;
        const char *piece = icl_bpe_piece(bpe, ids.items[i], &length);
        icl_text_append(&joined, piece, length);
    }
    assert_int_equal(joined.length, strlen(text) + sizeof nul_inside - 1);
    assert_memory_equal(joined.bytes, text, strlen(text));
    assert_memory_equal(joined.bytes + strlen(text), nul_inside, sizeof nul_inside - 1);
    icl_text_deinit(&joined);
    icl_tokens_deinit(&ids);
    icl_bpe_free(bpe);
}

static void test_bpe__specials_come_first_and_are_never_made_from_text(void **state)
{
    static const char *const specials[] = { "<|endoftext|>", "<|pad|>", NULL };
    icl_bpe *bpe = train_text(280, specials);
    icl_tokens ids = { 0 };
    size_t length = 0;
    assert_int_equal(icl_bpe_end_of_text(bpe), 0);
    assert_true(icl_bpe_is_special(bpe, 1));
    assert_false(icl_bpe_is_special(bpe, 2));
    assert_memory_equal(icl_bpe_piece(bpe, 1, &length), "<|pad|>", 7);
    assert_int_equal(length, 7);
    assert_int_equal(icl_bpe_encode(bpe, "<|pad|>", 7, &ids), ICL_OK);
    for (size_t i = 0; i < ids.count; i++) assert_false(icl_bpe_is_special(bpe, ids.items[i]));
    icl_tokens_deinit(&ids);
    icl_bpe_free(bpe);
}

/* A word of a hundred thousand letters: the queue keeps it from taking quadratic time. */
static void test_bpe__long_words_are_encoded_in_little_time(void **state)
{
    enum { LETTERS = 100000 };
    static const char *const specials[] = { NULL };
    icl_bpe_trainer *trainer = NULL;
    icl_bpe *bpe = NULL;
    const icl_bpe_options options = { .vocab_count = 260, .specials = specials };
    assert_int_equal(icl_bpe_trainer_new(&trainer), ICL_OK);
    assert_int_equal(icl_bpe_trainer_feed(trainer, "aaaaaaaaaaaaaaaa", 16, 5), ICL_OK);
    assert_int_equal(icl_bpe_train(&bpe, trainer, &options), ICL_OK);
    char *word = malloc(LETTERS);
    assert_non_null(word);
    memset(word, 'a', LETTERS);
    icl_tokens ids = { 0 };
    assert_int_equal(icl_bpe_encode(bpe, word, LETTERS, &ids), ICL_OK);
    assert_int_equal(ids.count, LETTERS / 16);
    assert_int_equal(icl_bpe_end_of_text(bpe), -1);
    icl_tokens_deinit(&ids);
    free(word);
    icl_bpe_free(bpe);
    icl_bpe_trainer_free(trainer);
}

static void test_bpe__bad_input_is_refused_with_the_value(void **state)
{
    static const char *const twice[] = { "<a>", "<a>", NULL }, *const empty[] = { "", NULL };
    icl_bpe_trainer *trainer = NULL;
    assert_int_equal(icl_bpe_trainer_new(&trainer), ICL_OK);
    assert_int_equal(icl_bpe_trainer_feed(trainer, "ab\xFF", 3, 1), ICL_EPARSE);
    assert_string_equal(icl_error_message(), "the text is not UTF-8 at byte 2 (0xFF)");
    icl_bpe_trainer_free(trainer);

    assert_null(train_text(256, NULL));
    assert_string_equal(icl_error_message(),
                        "a vocabulary of 256 tokens cannot hold the 256 bytes and the special "
                        "tokens, 257 in all");
    assert_null(train_text(300, twice));
    assert_string_equal(icl_error_message(),
                        "token \"<a>\" stands in the vocabulary twice, 0 and 1");
    assert_null(train_text(300, empty));
    assert_string_equal(icl_error_message(), "token 0, \"\", is no byte-level spelling");

    icl_bpe *bpe = train_text(300, NULL);
    icl_tokens ids = { 0 };
    assert_int_equal(icl_bpe_encode(bpe, "good \xC3", 6, &ids), ICL_EPARSE);
    assert_string_equal(icl_error_message(), "the text is not UTF-8 at byte 5 (0xC3)");
    assert_int_equal(ids.count, 0);
    icl_tokens_deinit(&ids);
    icl_bpe_free(bpe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bpe__merges_vocabulary_and_ids_equal_the_reference),
        cmocka_unit_test(test_bpe__a_text_fed_many_times_counts_as_often),
        cmocka_unit_test(test_bpe__pieces_of_an_encoded_text_join_to_its_bytes),
        cmocka_unit_test(test_bpe__specials_come_first_and_are_never_made_from_text),
        cmocka_unit_test(test_bpe__long_words_are_encoded_in_little_time),
        cmocka_unit_test(test_bpe__bad_input_is_refused_with_the_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
