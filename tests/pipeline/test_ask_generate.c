/* Continuations: the likeliest against one token after the other, drawn ones against the
 * distribution that they come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "near.h"
#include "pipeline/ask_world.h"

/* Spells "abc", a line break, "x", from what stands before it. */
static void spelling_logits(void *user, float *out, const int32_t *context, size_t count)
{
    static const char next[] = { ['>'] = 'a', ['a'] = 'b', ['b'] = 'c', ['c'] = '\n' };
    (void)user;
    memset(out, 0, VOCAB_COUNT * sizeof *out);
    const int32_t last = context[count - 1];
    if (last >= 0 && (size_t)last < sizeof next) out[(size_t)next[last]] += 5;
}

static void test_ask_generate__ends_before_the_separator_or_at_its_limit(void **state)
{
    world w = open_with(spelling_logits, NULL, 0, NULL);
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(2, 0), of_query(0, 2) };
    char *texts[3];
    assert_int_equal(w.asker->generate(w.asker->user, texts, prompts, 3,
                                       &(icl_ask_generation){ .cue = ">", .tokens_max = 50 }),
                     ICL_OK);
    assert_int_equal(asked(&w), 2 * 4); /* two prompts; a, b, c, line break */
    for (size_t i = 0; i < 3; i++) assert_string_equal(texts[i], "abc");
    for (size_t i = 0; i < 3; i++) free(texts[i]);
    assert_int_equal(w.asker->generate(w.asker->user, texts, prompts, 1,
                                       &(icl_ask_generation){ .cue = ">", .tokens_max = 2 }),
                     ICL_OK);
    assert_string_equal(texts[0], "ab");
    free(texts[0]);
    assert_int_equal(w.asker->generate(w.asker->user, texts, prompts, 1,
                                       &(icl_ask_generation){ .cue = ">", .tokens_max = 0 }),
                     ICL_OK);
    assert_string_equal(texts[0], "");
    free(texts[0]);
    /* Nothing follows '?': the lowest token is a NUL byte, at which a text ends. */
    assert_int_equal(w.asker->generate(w.asker->user, texts, prompts, 1,
                                       &(icl_ask_generation){ .cue = "?", .tokens_max = 9 }),
                     ICL_OK);
    assert_string_equal(texts[0], "");
    free(texts[0]);
    close_world(&w);
}

/* Letters that hang on the two before them; the weights make runs, loops and surprises. No two
 * tokens are equally likely. */
static void looping_logits(void *user, float *out, const int32_t *context, size_t count)
{
    const int32_t last = context[count - 1], before = count > 1 ? context[count - 2] : 0;
    const uint32_t mixed = ((uint32_t)last * 31 + (uint32_t)before * 7 + *(uint32_t *)user) * 97;
    for (size_t i = 0; i < VOCAB_COUNT; i++) out[i] = -9 - (float)i / 64;
    for (size_t i = 0; i < 5; i++) out['a' + i] = (float)i / 64;
    out['a' + mixed / 8 % 5] += 3;
    out['c'] += (float)(mixed % 3);
    if (mixed % 29 == 0) out['\n'] = 9;
}

/* One token after the other, and what makes a text end. */
static void spell_greedily(char *out, uint32_t variant, const char *prompt, size_t tokens_max)
{
    int32_t context[256] = { 256 }; /* BOS */
    size_t count = 1, length = 0;
    for (; prompt[count - 1] != '\0'; count++) context[count] = (unsigned char)prompt[count - 1];
    for (; length < tokens_max; length++) {
        float logits[VOCAB_COUNT];
        int32_t best = 0;
        looping_logits(&variant, logits, context, count);
        for (int32_t i = 1; i < VOCAB_COUNT; i++)
            if (logits[i] > logits[best]) best = i;
        if (best == '\n') break;
        context[count++] = best;
        out[length] = (char)best;
    }
    out[length] = '\0';
}

static void test_ask_generate__is_greedy_token_by_token(void **state)
{
    uint64_t steps = 0, tokens = 0;
    for (uint32_t variant = 0; variant < 60; variant++) {
        world w = open_with(looping_logits, &variant, 0, NULL);
        const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(2, 0) };
        char *texts[2], expected[64];
        const size_t most = 1 + variant % 50;
        assert_int_equal(
            w.asker->generate(w.asker->user, texts, prompts, 2,
                              &(icl_ask_generation){ .cue = "ab", .tokens_max = most }),
            ICL_OK);
        spell_greedily(expected, variant, "two: no\nin: one: a\nin: a queryab", most);
        assert_string_equal(texts[0], expected);
        tokens += strlen(expected);
        spell_greedily(expected, variant, "twoab", most);
        assert_string_equal(texts[1], expected);
        tokens += strlen(expected);
        steps += asked(&w);
        free(texts[0]);
        free(texts[1]);
        close_world(&w);
    }
    assert_true(steps * 2 < tokens); /* what repeats itself comes several tokens a batch */
}

/* Always the first byte of a character of two bytes. */
static void half_character_logits(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user, (void)context, (void)count;
    memset(out, 0, VOCAB_COUNT * sizeof *out);
    out[0xC3] = 5;
}

static void test_ask_generate__is_cut_before_half_a_character(void **state)
{
    world w = open_with(half_character_logits, NULL, 0, NULL);
    const icl_ask_prompt prompt = of_query(0, 0);
    char *text = NULL;
    assert_int_equal(w.asker->generate(w.asker->user, &text, &prompt, 1,
                                       &(icl_ask_generation){ .cue = "", .tokens_max = 3 }),
                     ICL_OK);
    assert_string_equal(text, "");
    free(text);
    close_world(&w);
}

/* ---- drawn texts ---- */

enum { DRAWS = 4000 };

static void draw(char **texts, const world *w, const icl_ask_prompt *prompts, size_t count,
                 icl_ask_generation how)
{
    if (w->asker->generate(w->asker->user, texts, prompts, count, &how) != ICL_OK)
        fail_msg("%s", icl_error_message());
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++) free(texts[i]);
}

/* 3, 2, 1 and 0 nats for 'a' to 'd' and -1 for 'e', whatever stands before; 'f' to 'h' little, all
 * else nothing. */
static void letter_logits(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user, (void)context, (void)count;
    for (size_t i = 0; i < VOCAB_COUNT; i++) out[i] = -INFINITY;
    for (int i = 0; i < 5; i++) out['a' + i] = (float)(3 - i);
    for (int i = 'f'; i <= 'h'; i++) out[i] = -4;
}

/* Pearson's statistic of how often each of `letters` squared pairs came, the two letters drawn
 * independently from softmax(logits / temperature) over the first `letters` letters. */
static double chi_square(char *const *texts, size_t letters, double temperature)
{
    const double logits[] = { 3, 2, 1, 0, -1, -4, -4, -4 };
    double weights[8], total = 0, statistic = 0;
    size_t seen[8][8] = { { 0 } };
    for (size_t i = 0; i < letters; i++) total += weights[i] = exp(logits[i] / temperature);
    for (size_t d = 0; d < DRAWS; d++) {
        const size_t first = (size_t)(texts[d][0] - 'a'), second = (size_t)(texts[d][1] - 'a');
        assert_true(strlen(texts[d]) == 2 && first < letters && second < letters);
        seen[first][second]++;
    }
    for (size_t i = 0; i < letters; i++)
        for (size_t j = 0; j < letters; j++) {
            const double expected = DRAWS * (weights[i] / total) * (weights[j] / total);
            statistic +=
                ((double)seen[i][j] - expected) * ((double)seen[i][j] - expected) / expected;
        }
    return statistic;
}

/* One call of equal prompts. The bounds are the 0.999 quantiles of chi-square with 15 and 63
 * degrees of freedom: a right sampler passes a new seed 999 times in 1000, and this seed is fixed.
 */
static void test_ask_generate__draws_come_from_the_softmax(void **state)
{
    static icl_ask_prompt prompts[DRAWS];
    static char *texts[DRAWS];
    for (size_t i = 0; i < DRAWS; i++) prompts[i] = of_query(0, 1);
    world w = open_with(letter_logits, NULL, 0, NULL);
    draw(texts, &w, prompts, DRAWS,
         (icl_ask_generation){ .tokens_max = 2, .temperature = 2, .top_k = 4, .seed = 11 });
    assert_true(chi_square(texts, 4, 2) < 37.70);
    free_texts(texts, DRAWS);
    draw(texts, &w, prompts, DRAWS,
         (icl_ask_generation){ .tokens_max = 2, .temperature = 4, .seed = 11 });
    assert_true(chi_square(texts, 8, 4) < 103.44);
    free_texts(texts, DRAWS);
    close_world(&w);
}

static void test_ask_generate__draws_hang_on_seed_task_and_place_alone(void **state)
{
    world w = open_with(letter_logits, NULL, 0, NULL);
    const icl_ask_prompt together[] = { of_query(0, 2), of_query(0, 2), of_pool(2, 0),
                                        of_query(1, 1) };
    const icl_ask_prompt others[] = { of_pool(4, 1), of_text("written", 0), of_pool(2, 0) };
    const icl_ask_generation how = { .tokens_max = 40, .temperature = 2, .seed = 5 };
    icl_ask_generation reseeded = how;
    reseeded.seed = 6;
    char *texts[4], *again[4], *company[3], *other_seed[4], *other_task[4];
    draw(texts, &w, together, 4, how);
    draw(again, &w, together, 4, how);
    draw(company, &w, others, 3, how);
    draw(other_seed, &w, together, 4, reseeded);
    icl_ask_service_free(w.service);
    w.source.task = "another task";
    assert_int_equal(icl_ask_service_new(&w.service, &w.source), ICL_OK);
    w.asker = icl_ask_service_asker(w.service);
    draw(other_task, &w, together, 4, how);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(strlen(texts[i]), 40);
        assert_string_equal(texts[i], again[i]);
        assert_string_not_equal(texts[i], other_seed[i]);
        assert_string_not_equal(texts[i], other_task[i]);
    }
    assert_string_not_equal(texts[0], texts[1]); /* equal prompts at two places */
    assert_string_equal(texts[2], company[2]);   /* whatever stands at the other places */
    free_texts(texts, 4);
    free_texts(again, 4);
    free_texts(company, 3);
    free_texts(other_seed, 4);
    free_texts(other_task, 4);
    close_world(&w);
}

static bool repeats(const char *text, size_t run)
{
    const size_t length = strlen(text);
    for (size_t i = 0; i + run <= length; i++)
        for (size_t j = i + 1; j + run <= length; j++)
            if (memcmp(text + i, text + j, run) == 0) return true;
    return false;
}

/* This model loops, and so does what is drawn from it where nothing forbids it. */
static void test_ask_generate__no_run_comes_twice(void **state)
{
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(2, 0), of_text("ab", 0) };
    size_t looping = 0, longest = 0;
    for (uint32_t variant = 0; variant < 40; variant++) {
        world w = open_with(looping_logits, &variant, 0, NULL);
        for (size_t run = 0; run <= 3; run++)
            for (size_t top_k = 0; top_k <= 3; top_k += 3) {
                char *texts[3];
                draw(texts, &w, prompts, 3,
                     (icl_ask_generation){ .tokens_max = 60,
                                           .temperature = variant % 4 * 0.3,
                                           .top_k = top_k,
                                           .no_repeat = run,
                                           .seed = variant });
                for (size_t i = 0; i < 3; i++) {
                    if (run == 0) looping += repeats(texts[i], 3);
                    if (run > 0) assert_false(repeats(texts[i], run));
                    if (run > 0 && strlen(texts[i]) > longest) longest = strlen(texts[i]);
                }
                free_texts(texts, 3);
            }
        close_world(&w);
    }
    assert_true(looping > 100);
    assert_true(longest > 30);
}

/* The likeliest token that repeats no run, one after the other. */
static void spell_without_repeats(char *out, uint32_t variant, const char *prompt,
                                  size_t tokens_max, size_t run)
{
    int32_t context[256] = { 256 }; /* BOS */
    size_t count = 1, length = 0;
    for (; prompt[count - 1] != '\0'; count++) context[count] = (unsigned char)prompt[count - 1];
    while (length < tokens_max) {
        float logits[VOCAB_COUNT];
        looping_logits(&variant, logits, context, count);
        int32_t best = -1;
        for (int32_t i = 0; i < VOCAB_COUNT; i++) {
            out[length] = (char)i;
            out[length + 1] = '\0';
            if (i > 0 && repeats(out, run)) continue;
            if (best < 0 || logits[i] > logits[best]) best = i;
        }
        if (best == '\n') break;
        out[length++] = (char)best;
        context[count++] = best;
    }
    out[length] = '\0';
}

/* Greedily and, which is the same, at a temperature that leaves only the likeliest. */
static void test_ask_generate__cold_draws_are_the_likeliest_tokens(void **state)
{
    static const double temperatures[] = { 0, 1e-5, 1e-320 };
    const icl_ask_prompt prompt = of_query(0, 2);
    for (uint32_t variant = 0; variant < 30; variant++)
        for (size_t run = 0; run <= 3; run++) {
            world w = open_with(looping_logits, &variant, 0, NULL);
            char expected[64];
            const char start[] = "two: no\nin: one: a\nin: a queryab";
            if (run == 0)
                spell_greedily(expected, variant, start, 12);
            else
                spell_without_repeats(expected, variant, start, 12, run + 1);
            for (size_t i = 0; i < 6; i++) {
                char *text = NULL;
                draw(&text, &w, &prompt, 1,
                     (icl_ask_generation){ .cue = "ab",
                                           .tokens_max = 12,
                                           .temperature = temperatures[i / 2],
                                           .top_k = i % 2 == 0 ? 0 : 2,
                                           .no_repeat = run == 0 ? 0 : run + 1 });
                assert_string_equal(text, expected);
                free(text);
            }
            close_world(&w);
        }
}

/* Only 'x' can follow, and it may not follow twice. */
static void only_x_logits(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user, (void)context, (void)count;
    for (size_t i = 0; i < VOCAB_COUNT; i++) out[i] = i == 'x' ? 0 : -INFINITY;
}

static void test_ask_generate__ends_where_everything_would_repeat(void **state)
{
    const icl_ask_prompt prompt = of_query(0, 0);
    world w = open_with(only_x_logits, NULL, 0, NULL);
    for (size_t run = 1; run <= 3; run++)
        for (size_t i = 0; i < 4; i++) {
            char *text = NULL;
            draw(&text, &w, &prompt, 1,
                 (icl_ask_generation){ .tokens_max = 9,
                                       .temperature = (double)(i / 2),
                                       .top_k = i % 2,
                                       .no_repeat = run });
            assert_int_equal(strlen(text), run);
            free(text);
        }
    close_world(&w);
}

/* 'a' is a label's word and the likeliest: drawn texts take it always, and again and again. */
static void test_ask_generate__draws_keep_the_words_of_template_and_labels(void **state)
{
    (void)state;
    const icl_ask_prompt prompt = of_query(0, 2);
    world w = open_with(letter_logits, NULL, 0, NULL);
    icl_ask_generation how = { .tokens_max = 12, .temperature = 2, .no_repeat = 3, .seed = 5 };
    for (size_t top_k = 0; top_k <= 4; top_k += 4) {
        char *kept = NULL, *free_text = NULL;
        how.top_k = top_k;
        how.keeps_form = true;
        draw(&kept, &w, &prompt, 1, how);
        how.keeps_form = false;
        draw(&free_text, &w, &prompt, 1, how);
        assert_string_equal(kept, "aaaaaaaaaaaa");
        assert_null(strstr(free_text, "aaaa"));
        free(free_text);
        free(kept);
    }
    close_world(&w);
}

static void test_ask_generate__ends_after_the_last_text(void **state)
{
    (void)state;
    const icl_ask_prompt prompt = of_query(0, 2);
    static const char *const lasts[] = { "b", "ab", "bc", "x" }, *const texts[] = { "ab", "ab",
                                                                                    "abc", "abc" };
    world w = open_with(spelling_logits, NULL, 0, NULL);
    for (size_t i = 0; i < 4; i++) {
        char *text = NULL;
        draw(&text, &w, &prompt, 1,
             (icl_ask_generation){ .cue = ">", .tokens_max = 9, .last = lasts[i] });
        assert_string_equal(text, texts[i]);
        free(text);
    }
    close_world(&w);
}

/* So long that each prompt is a batch of its own. */
static void test_ask_generate__long_calls_are_cut_without_a_trace(void **state)
{
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_query(0, 2), of_pool(2, 0) };
    uint32_t variant = 3;
    world w = open_with(looping_logits, &variant, 0, NULL);
    icl_ask_generation how = { .tokens_max = 100, .temperature = 3, .no_repeat = 2, .seed = 1 };
    char *short_call[3], *long_call[3];
    draw(short_call, &w, prompts, 3, how);
    how.tokens_max = 1 << 18;
    draw(long_call, &w, prompts, 3, how);
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(long_call[i], short_call[i], strlen(short_call[i]));
    free_texts(short_call, 3);
    free_texts(long_call, 3);
    close_world(&w);
}

static void test_ask_generate__draws_come_from_the_journal_again(void **state)
{
    char path[] = "/tmp/icl-test-draws-XXXXXX", beside[64];
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(1, 1) };
    char *texts[2][2];
    for (size_t i = 0; i < 2; i++) {
        world w = open_with(letter_logits, NULL, 0, path);
        draw(texts[i], &w, prompts, 2,
             (icl_ask_generation){ .tokens_max = 6, .temperature = 1, .no_repeat = 2 });
        if (i == 1) assert_int_equal(asked(&w), 0);
        close_world(&w);
    }
    for (size_t i = 0; i < 2; i++) assert_string_equal(texts[0][i], texts[1][i]);
    free_texts(texts[0], 2);
    free_texts(texts[1], 2);
    unlink(path);
    snprintf(beside, sizeof beside, "%s-wal", path);
    unlink(beside);
    snprintf(beside, sizeof beside, "%s-shm", path);
    unlink(beside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask_generate__ends_before_the_separator_or_at_its_limit),
        cmocka_unit_test(test_ask_generate__is_greedy_token_by_token),
        cmocka_unit_test(test_ask_generate__is_cut_before_half_a_character),
        cmocka_unit_test(test_ask_generate__draws_come_from_the_softmax),
        cmocka_unit_test(test_ask_generate__draws_hang_on_seed_task_and_place_alone),
        cmocka_unit_test(test_ask_generate__no_run_comes_twice),
        cmocka_unit_test(test_ask_generate__cold_draws_are_the_likeliest_tokens),
        cmocka_unit_test(test_ask_generate__ends_where_everything_would_repeat),
        cmocka_unit_test(test_ask_generate__draws_keep_the_words_of_template_and_labels),
        cmocka_unit_test(test_ask_generate__ends_after_the_last_text),
        cmocka_unit_test(test_ask_generate__long_calls_are_cut_without_a_trace),
        cmocka_unit_test(test_ask_generate__draws_come_from_the_journal_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
