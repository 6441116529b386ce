/* Sources of running tokens: text and repeats. */
#include "train/source_world.h"

/* Where a text holds the tokens first..end-1, which are of one text; NULL: none does. */
static const char *found_in(const source_world *w, const icl_sequence *sequence, size_t first,
                            size_t end, size_t *out_text)
{
    char *piece = text_of(w->bpe, sequence, first, end);
    const char *found = NULL;
    for (size_t i = 0; i < WORLD_TEXTS && found == NULL; i++) {
        found = strstr(w->lines[i], piece);
        *out_text = i;
    }
    free(piece);
    return found;
}

static void test_source_text__every_token_is_predicted_and_of_some_text(void **state)
{
    const source_world *w = *state;
    icl_source *source = open_source(&w->world, "text(data=stories)");
    icl_sequence sequence = { 0 };
    const int32_t end_of_text = icl_bpe_end_of_text(w->bpe);
    size_t met[WORLD_TEXTS] = { 0 }, ends = 0;
    for (size_t draw = 0; draw < 3000; draw++) {
        draw_well(source, &sequence, draw);
        assert_int_equal(sequence.count, 400);
        assert_true(sequence.answer == SIZE_MAX && sequence.candidate_count == 0);
        for (size_t i = 0; i < sequence.count; i++) {
            assert_int_equal(sequence.targets[i], i == 0 ? ICL_TARGET_NONE : ICL_TARGET_TEXT);
            assert_true(sequence.weights[i] == (i == 0 ? 0.0F : 1.0F));
        }
        for (size_t first = 0; first < sequence.count;) {
            size_t end = first, text = 0;
            while (end < sequence.count && sequence.tokens[end] != end_of_text) end++;
            const char *found = found_in(w, &sequence, first, end, &text);
            assert_non_null(found);
            /* A text behind another one is there from its beginning, one before to its end. */
            if (first > 0) assert_ptr_equal(found, w->lines[text]);
            met[text]++;
            ends += end < sequence.count;
            first = end + 1;
        }
    }
    for (size_t i = 0; i < WORLD_TEXTS; i++) assert_true(met[i] > 0);
    assert_true(ends > 1000);
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
}

/* Long texts are met as often as their length says. */
static void test_source_text__begins_anywhere_in_proportion_to_length(void **state)
{
    const source_world *w = *state;
    char *texts[2] = { calloc(1, 9001), calloc(1, 1001) };
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < (t == 0 ? 9000U : 1000U); i++)
            texts[t][i] = i % 8 == 7 ? ' ' : t == 0 ? 'a' : 'b';
    icl_pool pool = { .name = (char *)"two", .count = 2, .texts = texts }, *pools[] = { &pool };
    icl_source_world world = w->world;
    world.pools = pools;
    world.pool_count = 1;
    icl_source *source = open_source(&world, "text(data=two,length=4)");
    icl_sequence sequence = { 0 };
    size_t longer = 0;
    for (size_t draw = 0; draw < 2000; draw++) {
        draw_well(source, &sequence, draw);
        char *text = text_of(w->bpe, &sequence, 0, 2);
        longer += strchr(text, 'a') != NULL;
        free(text);
    }
    assert_true(longer > 1740 && longer < 1860);
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
    free(texts[0]);
    free(texts[1]);
}

/* A text is tokenized in pieces, which must not show. */
static void test_source_text__pieces_have_the_tokens_of_the_whole(void **state)
{
    const source_world *w = *state;
    enum { BYTES = 20000 };
    char *text = calloc(1, BYTES + 1);
    for (size_t used = 0; used < BYTES - 60;)
        used += (size_t)snprintf(text + used, 60, "%s%sword", w->texts[used % WORLD_ITEMS] + 20,
                                 used % 3 == 0   ? "\n"
                                 : used % 3 == 1 ? " "
                                                 : ", ");
    icl_pool pool = { .name = (char *)"one", .count = 1, .texts = &text }, *pools[] = { &pool };
    icl_tokens whole = { 0 };
    assert_int_equal(icl_bpe_encode(w->bpe, text, strlen(text), &whole), ICL_OK);
    icl_source_world world = w->world;
    world.pools = pools;
    world.pool_count = 1;
    world.context = whole.count + 1;
    icl_source *source = open_source(&world, "text(data=one)");
    icl_sequence sequence = { 0 };
    draw_well(source, &sequence, 0);
    size_t start = 0; /* behind the first end of text the text begins anew */
    while (sequence.tokens[start++] != icl_bpe_end_of_text(w->bpe))
        ;
    assert_memory_equal(sequence.tokens + start, whole.items,
                        (sequence.count - start) * sizeof *whole.items);
    assert_memory_equal(sequence.tokens + 1, whole.items + whole.count - (start - 2),
                        (start - 2) * sizeof *whole.items);
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
    icl_tokens_deinit(&whole);
    free(text);
}

/* A script without blanks has no place to cut; sequences still begin at whole characters. */
static void test_source_text__texts_without_blanks_are_read_too(void **state)
{
    const source_world *w = *state;
    char *text = calloc(1, 9001);
    for (size_t i = 0; i < 3000; i++)
        memcpy(text + 3 * i, i * i % 7 < 3 ? "\xE4\xBD\xA0" : "\xE5\xA5\xBD", 3);
    icl_pool pool = { .name = (char *)"zh", .count = 1, .texts = &text }, *pools[] = { &pool };
    icl_source_world world = w->world;
    world.pools = pools;
    world.pool_count = 1;
    icl_source *source = open_source(&world, "text(data=zh,length=20)");
    icl_sequence sequence = { 0 };
    for (size_t draw = 0; draw < 100; draw++) {
        draw_well(source, &sequence, draw);
        char *begin = text_of(w->bpe, &sequence, 0, 1);
        assert_true(begin[0] == '\xE4' || begin[0] == '\xE5');
        free(begin);
    }
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
    free(text);
}

static size_t period_of(const icl_sequence *sequence)
{
    size_t period = 1;
    for (size_t i = period; i < sequence->count; i++) {
        if (sequence->tokens[i] == sequence->tokens[i - period]) continue;
        period++;
        i = period - 1;
    }
    return period;
}

static void test_source_repeats__tokens_come_back_after_the_period(void **state)
{
    const source_world *w = *state;
    static const char *const calls[] = { "repeats(period=5-9,vocabulary=20,loss=all)",
                                         "repeats(period=5-9,vocabulary=20,loss=repeat)" };
    for (size_t c = 0; c < 2; c++) {
        icl_source *source = open_source(&w->world, calls[c]);
        icl_sequence sequence = { 0 };
        size_t periods[10] = { 0 }, different = 0;
        bool seen[600] = { false };
        for (size_t draw = 0; draw < 500; draw++) {
            draw_well(source, &sequence, draw);
            const size_t period = period_of(&sequence);
            assert_true(sequence.count == 400 && period <= 9);
            periods[period]++;
            for (size_t i = 0; i < sequence.count; i++) {
                const bool wanted = i > 0 && (c == 0 || i >= period);
                /* Tokens of the first round may repeat by chance: then the period looks shorter. */
                if (period >= 5)
                    assert_int_equal(sequence.targets[i],
                                     wanted ? ICL_TARGET_TEXT : ICL_TARGET_NONE);
                assert_true(sequence.weights[i] ==
                            (sequence.targets[i] == ICL_TARGET_TEXT ? 1.0F : 0.0F));
                different += !seen[sequence.tokens[i]];
                seen[sequence.tokens[i]] = true;
                assert_false(icl_bpe_is_special(w->bpe, sequence.tokens[i]));
            }
        }
        assert_int_equal(different, 20);
        for (size_t period = 5; period <= 9; period++) assert_true(periods[period] > 60);
        icl_sequence_deinit(&sequence);
        icl_source_close(source);
    }
}

static void test_source_repeats__all_tokens_take_part_when_asked(void **state)
{
    const source_world *w = *state;
    icl_source *source = open_source(&w->world, "repeats(period=200,vocabulary=0)");
    icl_sequence sequence = { 0 };
    bool seen[600] = { false };
    size_t different = 0;
    for (size_t draw = 0; draw < 60; draw++) {
        draw_well(source, &sequence, draw);
        for (size_t i = 0; i < sequence.count; i++) {
            different += !seen[sequence.tokens[i]];
            seen[sequence.tokens[i]] = true;
        }
    }
    assert_int_equal(different, icl_bpe_vocab_count(w->bpe) - 1); /* not the end of text */
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
}

static void assert_refused(const icl_source_world *world, const char *call, const char *sentence)
{
    icl_source *source = NULL;
    assert_int_equal(icl_source_open(&source, call, world), ICL_EINVAL);
    assert_string_equal(icl_error_message(), sentence);
}

static void test_source_running__lengths_must_fit(void **state)
{
    const source_world *w = *state;
    assert_refused(&w->world, "text(data=stories,length=401)",
                   "option length of text: 401 is above the context of 400");
    assert_refused(&w->world, "repeats(length=401)",
                   "option length of repeats: 401 is above the context of 400");
    assert_refused(&w->world, "repeats(period=8-32,length=32)",
                   "option period of repeats: a period of 32 leaves nothing to repeat in 32 "
                   "tokens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source_text__every_token_is_predicted_and_of_some_text),
        cmocka_unit_test(test_source_text__begins_anywhere_in_proportion_to_length),
        cmocka_unit_test(test_source_text__pieces_have_the_tokens_of_the_whole),
        cmocka_unit_test(test_source_text__texts_without_blanks_are_read_too),
        cmocka_unit_test(test_source_repeats__tokens_come_back_after_the_period),
        cmocka_unit_test(test_source_repeats__all_tokens_take_part_when_asked),
        cmocka_unit_test(test_source_running__lengths_must_fit),
    };
    return cmocka_run_group_tests(tests, source_world_setup, source_world_teardown);
}
