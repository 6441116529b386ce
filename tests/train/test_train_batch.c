#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "train/source.h"

enum { COLUMNS = 3 };

static const icl_batch_limits limits = { .rows = 3,
                                         .context = 10,
                                         .answers_max = 8,
                                         .texts_max = 20,
                                         .meanings_max = 4,
                                         .candidates_max = 6 };
static const float vectors[2][COLUMNS] = { { 1, 2, 3 }, { 4, 5, 6 } };

/* `text_count` tokens of text from `first` on, then an answer. */
static void make(icl_sequence *out, int32_t first, size_t text_count, int32_t answer)
{
    icl_sequence_clear(out);
    for (size_t i = 0; i < text_count; i++)
        icl_sequence_push(out, first + (int32_t)i, ICL_TARGET_TEXT, 0.5F);
    icl_sequence_add_meaning(out, out->count - 1, vectors[answer % 2]);
    out->answer = out->count;
    icl_sequence_push(out, answer, ICL_TARGET_ANSWER, 1);
    icl_sequence_add_candidate(out, answer);
    icl_sequence_add_candidate(out, 99);
}

static icl_train_batch *new_batch(const icl_batch_limits *with)
{
    icl_train_batch *batch = NULL;
    assert_int_equal(icl_train_batch_new(&batch, with, COLUMNS), ICL_OK);
    return batch;
}

static void test_sequence__the_first_token_is_never_a_target(void **state)
{
    icl_sequence sequence = { 0 };
    icl_sequence_clear(&sequence);
    const int32_t tokens[] = { 5, 6, 7 };
    icl_sequence_push_tokens(&sequence, tokens, 3, ICL_TARGET_TEXT, 2);
    assert_int_equal(sequence.count, 3);
    assert_true(sequence.targets[0] == ICL_TARGET_NONE && sequence.weights[0] == 0);
    assert_true(sequence.targets[1] == ICL_TARGET_TEXT && sequence.weights[1] == 2);
    icl_sequence_push(&sequence, 8, ICL_TARGET_NONE, 2);
    assert_true(sequence.weights[3] == 0);
    icl_sequence_add_candidate(&sequence, 4);
    icl_sequence_add_candidate(&sequence, 4);
    assert_int_equal(sequence.candidate_count, 1);
    icl_sequence_clear(&sequence);
    assert_true(sequence.count == 0 && sequence.candidate_count == 0 &&
                sequence.answer == SIZE_MAX);
    icl_sequence_deinit(&sequence);
}

static void test_train_batch__sequences_stand_side_by_side(void **state)
{
    icl_train_batch *batch = new_batch(&limits);
    icl_sequence sequence = { 0 };
    make(&sequence, 10, 5, 40); /* row 0, columns 0..5 */
    assert_true(icl_train_batch_add(batch, &sequence, 7));
    make(&sequence, 20, 6, 41); /* row 1, columns 0..6 */
    assert_true(icl_train_batch_add(batch, &sequence, 8));
    make(&sequence, 30, 3, 42); /* row 0, columns 6..9: fills it */
    assert_true(icl_train_batch_add(batch, &sequence, 9));

    const int32_t positions[] = { 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0 };
    const int32_t first[] = { 0, 0, 0, 0, 0, 0, 6, 6, 6, 6, 0, 0, 0, 0, 0, 0, 0, 7, 8, 9 };
    const int32_t tokens[] = { 10, 11, 12, 13, 14, 40, 30, 31, 32, 42,
                               20, 21, 22, 23, 24, 25, 41, 0,  0,  0 };
    assert_memory_equal(batch->positions, positions, sizeof positions);
    assert_memory_equal(batch->first, first, sizeof first);
    assert_memory_equal(batch->tokens, tokens, sizeof tokens);
    assert_int_equal(batch->first[29], 9);
    assert_true(batch->row_counts[0] == 10 && batch->row_counts[1] == 7 &&
                batch->row_counts[2] == 0);
    assert_true(batch->sequence_count == 3 && batch->token_count == 17);

    const int32_t answer_rows[] = { 4, 15, 8 }, answer_targets[] = { 0, 2, 3 };
    const uint32_t answer_sources[] = { 7, 8, 9 };
    assert_int_equal(batch->answer_count, 3);
    assert_memory_equal(batch->answer_rows, answer_rows, sizeof answer_rows);
    assert_memory_equal(batch->answer_targets, answer_targets, sizeof answer_targets);
    assert_memory_equal(batch->answer_sources, answer_sources, sizeof answer_sources);
    const int32_t candidates[] = { 40, 99, 41, 42, 40, 40 }; /* the rest repeats the first */
    assert_int_equal(batch->candidate_count, 4);
    assert_memory_equal(batch->candidates, candidates, sizeof candidates);

    assert_int_equal(batch->text_count, 4 + 5 + 2); /* the first token of each has no prediction */
    assert_true(batch->text_rows[0] == 0 && batch->text_targets[0] == 11 &&
                batch->text_weights[0] == 0.5F && batch->text_sources[0] == 7);
    assert_true(batch->text_rows[10] == 7 && batch->text_targets[10] == 32);
    assert_true(batch->text_weights[11] == 0 && batch->answer_weights[3] == 0);

    assert_int_equal(batch->meaning_count, 3);
    assert_true(batch->meaning_rows[1] == 15 && batch->meaning_weights[1] == 1 &&
                batch->meaning_weights[3] == 0);
    assert_memory_equal(batch->meaning_targets + COLUMNS, vectors[1], sizeof vectors[1]);
    icl_sequence_deinit(&sequence);
    icl_train_batch_free(batch);
}

static void test_train_batch__what_does_not_fit_changes_nothing(void **state)
{
    icl_batch_limits small[5];
    for (size_t i = 0; i < 5; i++) small[i] = limits;
    small[0].answers_max = 1;
    small[1].texts_max = 5;
    small[2].meanings_max = 1;
    small[3].candidates_max = 2;
    small[4].rows = 1;
    for (size_t i = 0; i < 5; i++) {
        icl_train_batch *batch = new_batch(&small[i]);
        icl_sequence sequence = { 0 };
        make(&sequence, 10, 5, 40);
        assert_true(icl_train_batch_add(batch, &sequence, 0));
        make(&sequence, 20, 5, 41);
        assert_false(icl_train_batch_add(batch, &sequence, 0));
        assert_true(batch->sequence_count == 1 && batch->token_count == 6);
        assert_true(batch->answer_count == 1 && batch->text_count == 4);
        assert_true(batch->meaning_count == 1 && batch->candidate_count == 2);
        icl_sequence_deinit(&sequence);
        icl_train_batch_free(batch);
    }
}

/* Whatever is packed: no token lost, none shared, and clearing leaves nothing behind. */
static void test_train_batch__random_sequences_are_whole_in_their_row(void **state)
{
    icl_train_batch *batch = new_batch(&limits), *fresh = new_batch(&limits);
    icl_sequence sequence = { 0 };
    icl_rng rng = icl_rng_new(1, "batch", "", "");
    for (int round = 0; round < 200; round++) {
        size_t tokens = 0, sequences = 0;
        bool added = true;
        while (added) {
            make(&sequence, (int32_t)(100 * (sequences + 1)), icl_rng_below(&rng, 9) + 1, 40);
            added = icl_train_batch_add(batch, &sequence, 0);
            sequences += added;
            tokens += added ? sequence.count : 0;
        }
        assert_true(batch->token_count == tokens && batch->sequence_count == sequences);
        for (size_t i = 0; i < limits.rows * limits.context; i++) {
            const size_t column = i % limits.context, row = i / limits.context;
            const bool filled = column < batch->row_counts[row];
            assert_int_equal(batch->positions[i], filled ? (int32_t)column - batch->first[i] : 0);
            if (batch->positions[i] > 0 && batch->tokens[i] != 40)
                assert_int_equal(batch->tokens[i], batch->tokens[i - 1] + 1);
        }
        icl_train_batch_clear(batch);
        const size_t bytes = limits.rows * limits.context * sizeof *batch->tokens;
        assert_memory_equal(batch->tokens, fresh->tokens, bytes);
        assert_memory_equal(batch->first, fresh->first, bytes);
        assert_memory_equal(batch->positions, fresh->positions, bytes);
        assert_memory_equal(batch->text_weights, fresh->text_weights,
                            limits.texts_max * sizeof *batch->text_weights);
        assert_memory_equal(batch->meaning_targets, fresh->meaning_targets,
                            limits.meanings_max * COLUMNS * sizeof *batch->meaning_targets);
    }
    icl_sequence_deinit(&sequence);
    icl_train_batch_free(fresh);
    icl_train_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequence__the_first_token_is_never_a_target),
        cmocka_unit_test(test_train_batch__sequences_stand_side_by_side),
        cmocka_unit_test(test_train_batch__what_does_not_fit_changes_nothing),
        cmocka_unit_test(test_train_batch__random_sequences_are_whole_in_their_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
