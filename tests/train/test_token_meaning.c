/* Token vectors are learned so that their mean over a text points where the text's vector does: on
 * texts whose vectors are, by construction, means of hidden token vectors, they come near. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/trainee.h"
#include "train/token_meaning.h"

enum { WIDTH = 12, TEXTS = 600, WORDS = 8, VOCABULARY = 300, AXES = 5, TEXT_BYTES = 64 };

static const char *const words[WORDS] = { "rain",  "snow",   "song", "music",
                                          "bread", "butter", "wolf", "lion" };

typedef struct world {
    icl_bpe *bpe;
    size_t vocab_count;
    char storage[TEXTS][TEXT_BYTES];
    char *texts[TEXTS];
    float vectors[TEXTS * WIDTH];
    icl_pool pool;
    const icl_pool *pools[1];
    icl_token_meaning_input input;
    float *table; /* [vocab_count][WIDTH] */
} world;

static double hidden(size_t word, size_t i)
{
    icl_rng rng = icl_rng_new(word * WIDTH + i, "test", "hidden", "meaning");
    return icl_rng_normal(&rng);
}

/* Three words a text, and the mean of their hidden vectors, of unit length. */
static void write_texts(world *w)
{
    icl_rng rng = icl_rng_new(5, "test", "texts", "meaning");
    for (size_t t = 0; t < TEXTS; t++) {
        double mean[WIDTH] = { 0 }, squares = 0.0;
        for (size_t k = 0; k < 3; k++) {
            const size_t word = icl_rng_below(&rng, WORDS);
            strcat(w->storage[t], k > 0 ? " " : "");
            strcat(w->storage[t], words[word]);
            for (size_t i = 0; i < WIDTH; i++) mean[i] += hidden(word, i);
        }
        for (size_t i = 0; i < WIDTH; i++) squares += mean[i] * mean[i];
        for (size_t i = 0; i < WIDTH; i++)
            w->vectors[t * WIDTH + i] = (float)(mean[i] / sqrt(squares));
        w->texts[t] = w->storage[t];
    }
}

static int setup(void **state)
{
    world *w = calloc(1, sizeof *w);
    icl_bpe_trainer *trainer = NULL;
    const icl_bpe_options options = { .vocab_count = VOCABULARY };
    const char text[] = " rain snow song music bread butter wolf lion";
    assert_ok(icl_bpe_trainer_new(&trainer));
    assert_ok(icl_bpe_trainer_feed(trainer, text, sizeof text - 1, 10));
    assert_ok(icl_bpe_train(&w->bpe, trainer, &options));
    icl_bpe_trainer_free(trainer);
    write_texts(w);
    w->vocab_count = icl_bpe_vocab_count(w->bpe);
    w->pool = (icl_pool){ .count = TEXTS,
                          .texts = w->texts,
                          .vectors = w->vectors,
                          .vector_count = TEXTS,
                          .vector_size = WIDTH };
    w->pools[0] = &w->pool;
    w->input = (icl_token_meaning_input){ .bpe = w->bpe,
                                          .pools = w->pools,
                                          .pool_count = 1,
                                          .vector_size = WIDTH,
                                          .epochs = 400,
                                          .seed = 3 };
    w->table = malloc(w->vocab_count * WIDTH * sizeof *w->table);
    icl_rng rng = icl_rng_new(9, "test", "start", "meaning");
    for (size_t i = 0; i < w->vocab_count * WIDTH; i++)
        w->table[i] = (float)(0.1 * icl_rng_normal(&rng));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    icl_bpe_free(w->bpe);
    free(w->table);
    free(w);
    return 0;
}

/* Mean cosine between the mean token vector of a text and its vector less the mean of all. */
static double likeness(const world *w, const float *table)
{
    double centre[WIDTH] = { 0 }, sum = 0.0;
    for (size_t t = 0; t < TEXTS; t++)
        for (size_t i = 0; i < WIDTH; i++) centre[i] += (double)w->vectors[t * WIDTH + i] / TEXTS;
    for (size_t t = 0; t < TEXTS; t++) {
        char spaced[TEXT_BYTES + 1] = " ";
        icl_tokens tokens = { 0 };
        double mean[WIDTH] = { 0 }, dot = 0.0, squares = 0.0, wanted_squares = 0.0;
        strcat(spaced, w->storage[t]);
        assert_ok(icl_bpe_encode(w->bpe, spaced, strlen(spaced), &tokens));
        for (size_t k = 0; k < tokens.count; k++)
            for (size_t i = 0; i < WIDTH; i++)
                mean[i] += (double)table[(size_t)tokens.items[k] * WIDTH + i];
        for (size_t i = 0; i < WIDTH; i++) {
            const double wanted = (double)w->vectors[t * WIDTH + i] - centre[i];
            dot += mean[i] * wanted;
            squares += mean[i] * mean[i];
            wanted_squares += wanted * wanted;
        }
        sum += dot / sqrt(squares * wanted_squares);
        icl_tokens_deinit(&tokens);
    }
    return sum / TEXTS;
}

static void test_token_meaning__means_come_near_the_texts(void **state)
{
    world *w = *state;
    float axes[AXES * WIDTH];
    assert_true(likeness(w, w->table) < 0.3);
    assert_ok(icl_token_meaning_fit(w->table, axes, AXES, &w->input));
    /* The vectors of texts were divided by their lengths, which no table can undo. */
    assert_true(likeness(w, w->table) > 0.95);
}

static void test_token_meaning__axes_are_orthonormal(void **state)
{
    world *w = *state;
    float axes[AXES * WIDTH];
    assert_ok(icl_token_meaning_fit(w->table, axes, AXES, &w->input));
    for (size_t a = 0; a < AXES; a++)
        for (size_t b = 0; b <= a; b++) {
            double dot = 0.0;
            for (size_t i = 0; i < WIDTH; i++)
                dot += (double)axes[a * WIDTH + i] * (double)axes[b * WIDTH + i];
            assert_true(fabs(dot - (a == b ? 1.0 : 0.0)) < 1e-5);
        }
}

static void test_token_meaning__the_same_seed_gives_the_same_table(void **state)
{
    world *w = *state;
    const size_t bytes = w->vocab_count * WIDTH * sizeof(float);
    float axes[AXES * WIDTH];
    float *again = malloc(bytes);
    memcpy(again, w->table, bytes);
    w->input.epochs = 5;
    assert_ok(icl_token_meaning_fit(w->table, axes, AXES, &w->input));
    assert_ok(icl_token_meaning_fit(again, axes, AXES, &w->input));
    assert_memory_equal(w->table, again, bytes);
    free(again);
}

static void test_token_meaning__tokens_that_no_text_has_stay(void **state)
{
    world *w = *state;
    float axes[AXES * WIDTH], before[WIDTH];
    const size_t token = 'Q'; /* a byte of its own */
    memcpy(before, w->table + token * WIDTH, sizeof before);
    assert_ok(icl_token_meaning_fit(w->table, axes, AXES, &w->input));
    assert_memory_equal(w->table + token * WIDTH, before, sizeof before);
}

static void test_token_meaning__failure_leaves_the_table(void **state)
{
    world *w = *state;
    const size_t bytes = w->vocab_count * WIDTH * sizeof(float);
    float axes[AXES * WIDTH];
    float *before = malloc(bytes);
    memcpy(before, w->table, bytes);
    const atomic_bool cancelled = true;
    w->input.cancelled = &cancelled;
    assert_int_equal(icl_token_meaning_fit(w->table, axes, AXES, &w->input), ICL_ECANCELLED);
    w->input.cancelled = NULL;
    w->pool.vector_count = 0;
    assert_int_equal(icl_token_meaning_fit(w->table, axes, AXES, &w->input), ICL_EINVAL);
    assert_memory_equal(w->table, before, bytes);
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_token_meaning__means_come_near_the_texts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_token_meaning__axes_are_orthonormal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token_meaning__the_same_seed_gives_the_same_table,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_token_meaning__tokens_that_no_text_has_stay, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_token_meaning__failure_leaves_the_table, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
