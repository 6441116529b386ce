/* Start weights laid out by hand do what they are laid out for, before any step: the query's last
 * token looks at the labels behind the demonstrations, more at those of examples that mean the
 * same, and the model's best next tokens are those labels; without demonstrations, words that mean
 * what the text is about. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <icl/run.h>

#include "learn/trainee.h"
#include "train/start.h"

enum { MATCHING_BLOCK = 3, DEMONSTRATIONS = 6, VOCABULARY = 420 };

static const char *const inputs[] = {
    "rain and snow in winter and rain and snow and rain in winter",
    "sing a song to music and sing music to a song and sing",
    "snow in winter and rain and snow and rain in winter and snow",
    "music to sing and a song and music to a song and sing music",
    "winter and rain and rain and snow in winter and snow and rain",
    "a song and music and a song to sing and music and a song",
};
static const char *const words[] = { "red", "dog" }; /* of inputs 0, 2, 4 and of 1, 3, 5 */
static const char query[] = "snow and winter and snow and rain in winter and rain and snow";

typedef struct world {
    icl_encoder *encoder;
    icl_bpe *bpe;
    icl_device *device;
} world;

static int setup(void **state)
{
    world *w = calloc(1, sizeof *w);
    char *path = NULL;
    icl_bpe_trainer *trainer = NULL;
    const icl_bpe_options options = { .vocab_count = VOCABULARY };
    const char text[] = "Text: rain snow winter sing song music and in to a\nLabel: red dog\n\n";
    assert_ok(icl_encoder_default_path(&path));
    assert_ok(icl_encoder_open(&w->encoder, path, 1));
    free(path);
    assert_ok(icl_bpe_trainer_new(&trainer));
    assert_ok(icl_bpe_trainer_feed(trainer, text, sizeof text - 1, 10));
    assert_ok(icl_bpe_train(&w->bpe, trainer, &options));
    icl_bpe_trainer_free(trainer);
    w->device = cpu_device(1, false);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    icl_device_close(w->device);
    icl_bpe_free(w->bpe);
    icl_encoder_close(w->encoder);
    free(w);
    return 0;
}

static icl_transformer_config matcher_config(const world *w)
{
    icl_transformer_config config = icl_transformer_config_default();
    config.vocab_count = icl_bpe_vocab_count(w->bpe);
    config.width = 384;
    config.layers = 4;
    config.heads = 6;
    config.kv_heads = 6;
    config.feed_width = 128;
    config.rope_base = 1e10F;
    return config;
}

static icl_status start(const world *w, icl_transformer *model)
{
    const icl_start_input input = {
        .model = model, .bpe = w->bpe, .encoder = w->encoder, .seed = 3
    };
    return icl_start_run("matcher(block=3, noise=0.3, epochs=0)", &input);
}

typedef struct prompt {
    icl_tokens tokens;
    size_t labels[DEMONSTRATIONS]; /* where each demonstration's label stands */
} prompt;

static void write_text(const world *w, prompt *p, const char *text)
{
    assert_ok(icl_bpe_encode(w->bpe, text, strlen(text), &p->tokens));
}

static void write_input(const world *w, prompt *p, const char *input)
{
    char text[128];
    snprintf(text, sizeof text, "Text: %s\nLabel:", input);
    write_text(w, p, text);
}

static void write_prompt(const world *w, prompt *p)
{
    char label[16];
    *p = (prompt){ 0 };
    assert_ok(icl_tokens_push(&p->tokens, icl_bpe_end_of_text(w->bpe)));
    for (size_t i = 0; i < DEMONSTRATIONS; i++) {
        write_input(w, p, inputs[i]);
        p->labels[i] = p->tokens.count;
        snprintf(label, sizeof label, " %s", words[i % 2]);
        write_text(w, p, label);
        assert_int_equal(p->tokens.count, p->labels[i] + 1); /* labels of one token */
        write_text(w, p, "\n");
        write_text(w, p, "\n");
    }
    write_input(w, p, query);
}

/* Attention of the prompt's last token, [heads][tokens], and its logits, [vocabulary]. */
static void look(const world *w, icl_transformer *model, const prompt *p, float *scores,
                 float *logits)
{
    const int64_t count = (int64_t)p->tokens.count;
    const size_t heads = icl_transformer_get_config(model)->heads;
    icl_graph *graph = NULL;
    assert_ok(icl_graph_new(&graph, icl_transformer_parameters(model)));
    icl_transformer_io io = { .token_count = count, .batch = 1, .keep_scores = true };
    icl_transformer_build(model, graph, &io);
    icl_value *output =
        icl_transformer_logits(model, graph, io.hidden[icl_transformer_get_config(model)->layers]);
    icl_graph_keep(graph, io.scores[MATCHING_BLOCK]);
    icl_graph_keep(graph, output);
    assert_ok(icl_graph_finish(graph, false));
    int32_t *positions = malloc((size_t)count * sizeof *positions);
    for (int32_t i = 0; i < count; i++) positions[i] = i;
    icl_graph_set_ids(graph, io.ids, p->tokens.items);
    icl_graph_set_ids(graph, io.positions, positions);
    assert_ok(icl_graph_run(graph));
    const size_t tokens = (size_t)count, vocabulary = icl_bpe_vocab_count(w->bpe);
    float *all = malloc(tokens * tokens * heads * sizeof *all);
    float *rows = malloc(tokens * vocabulary * sizeof *rows);
    icl_graph_get(graph, io.scores[MATCHING_BLOCK], all);
    icl_graph_get(graph, output, rows);
    for (size_t head = 0; head < heads; head++)
        memcpy(scores + head * tokens, all + (head * tokens + tokens - 1) * tokens,
               tokens * sizeof *scores);
    memcpy(logits, rows + (tokens - 1) * vocabulary, vocabulary * sizeof *logits);
    free(rows);
    free(all);
    free(positions);
    icl_graph_free(graph);
}

static void test_start_matcher__looks_at_labels_and_copies_them(void **state)
{
    const world *w = *state;
    const icl_transformer_config config = matcher_config(w);
    icl_transformer *model = NULL;
    prompt p;
    float scores[6 * 512], logits[VOCABULARY];
    write_prompt(w, &p);
    assert_true(p.tokens.count <= 512);
    assert_ok(icl_transformer_new(&model, w->device, &config));
    assert_ok(start(w, model));
    look(w, model, &p, scores, logits);

    /* All heads but the last look at the labels and nearly nowhere else; the last at itself. */
    assert_true((double)scores[config.heads * p.tokens.count - 1] > 0.9);
    double same = 0.0, other = 0.0, all_on_labels = 0.0;
    for (size_t head = 0; head + 1 < config.heads; head++) {
        double on_labels = 0.0;
        for (size_t i = 0; i < DEMONSTRATIONS; i++) {
            const double weight = (double)scores[head * p.tokens.count + p.labels[i]];
            on_labels += weight;
            *(i % 2 == 0 ? &same : &other) += weight;
        }
        assert_true(on_labels > 0.5);
        all_on_labels += on_labels;
    }
    /* Each tells slots by ten random numbers of a token's identity, so a single one may be weak. */
    assert_true(all_on_labels / (double)(config.heads - 1) > 0.85);
    assert_true(same > other);

    /* The two labels are the best next tokens of all, the one of the same meaning first. */
    int32_t best = 0, second = 1;
    if (logits[1] > logits[0]) best = 1, second = 0;
    for (int32_t i = 2; i < (int32_t)config.vocab_count; i++) {
        if (logits[i] > logits[best])
            second = best, best = i;
        else if (logits[i] > logits[second])
            second = i;
    }
    assert_int_equal(best, p.tokens.items[p.labels[0]]);
    assert_int_equal(second, p.tokens.items[p.labels[1]]);
    icl_tokens_deinit(&p.tokens);
    icl_transformer_free(model);
}

/* Mean logit of the words, each one token behind a blank. */
static double mean_logit(const world *w, const float *logits, const char *const *of, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        char text[16];
        icl_tokens tokens = { 0 };
        snprintf(text, sizeof text, " %s", of[i]);
        assert_ok(icl_bpe_encode(w->bpe, text, strlen(text), &tokens));
        assert_int_equal(tokens.count, 1);
        sum += (double)logits[tokens.items[0]];
        icl_tokens_deinit(&tokens);
    }
    return sum / (double)count;
}

static void test_start_matcher__favours_what_the_text_is_about(void **state)
{
    static const char *const weather[] = { "rain", "snow", "winter" };
    static const char *const music[] = { "sing", "song", "music" };
    const world *w = *state;
    const icl_transformer_config config = matcher_config(w);
    icl_transformer *model = NULL;
    assert_ok(icl_transformer_new(&model, w->device, &config));
    assert_ok(start(w, model));
    for (size_t i = 0; i < 2; i++) { /* no demonstration, and text of the one or the other */
        prompt p = { 0 };
        float scores[6 * 512], logits[VOCABULARY];
        assert_ok(icl_tokens_push(&p.tokens, icl_bpe_end_of_text(w->bpe)));
        write_input(w, &p, inputs[i]);
        look(w, model, &p, scores, logits);
        const double difference =
            mean_logit(w, logits, weather, 3) - mean_logit(w, logits, music, 3);
        assert_true(i == 0 ? difference > 0.0 : difference < 0.0);
        icl_tokens_deinit(&p.tokens);
    }
    icl_transformer_free(model);
}

static void test_start_matcher__the_same_seed_gives_the_same_weights(void **state)
{
    const world *w = *state;
    const icl_transformer_config config = matcher_config(w);
    icl_transformer *models[2] = { NULL, NULL };
    for (size_t i = 0; i < 2; i++) {
        assert_ok(icl_transformer_new(&models[i], w->device, &config));
        assert_ok(start(w, models[i]));
    }
    const icl_parameters *a = icl_transformer_parameters(models[0]);
    const icl_parameters *b = icl_transformer_parameters(models[1]);
    for (size_t i = 0; i < icl_parameters_count(a); i++) {
        const size_t count = icl_parameters_at(a, i)->count;
        float *x = malloc(count * sizeof *x), *y = malloc(count * sizeof *y);
        icl_parameters_get(a, i, x);
        icl_parameters_get(b, i, y);
        assert_memory_equal(x, y, count * sizeof *x);
        free(x);
        free(y);
    }
    icl_transformer_free(models[0]);
    icl_transformer_free(models[1]);
}

static void check_refused(const world *w, const icl_transformer_config *config, const char *call,
                          bool with_encoder, const char *sentence)
{
    icl_transformer *model = NULL;
    assert_ok(icl_transformer_new(&model, w->device, config));
    const icl_start_input input = {
        .model = model, .bpe = w->bpe, .encoder = with_encoder ? w->encoder : NULL, .seed = 1
    };
    assert_int_not_equal(icl_start_run(call, &input), ICL_OK);
    assert_non_null(strstr(icl_error_message(), sentence));
    icl_transformer_free(model);
}

static void test_start_matcher__says_what_it_cannot_lay_out(void **state)
{
    const world *w = *state;
    icl_transformer_config config = matcher_config(w);
    check_refused(w, &config, "matcher(block=4)", true,
                  "block 4 is not in 3..3, the blocks counted from 0 that have 3 before them");
    check_refused(w, &config, "matcher", false, "needs the recipe to name an encoder");
    config.rope_base = 1e4F;
    check_refused(w, &config, "matcher", true, "needs a rope_base above 10000");
    config = matcher_config(w);
    config.heads = config.kv_heads = 4;
    check_refused(w, &config, "matcher", true, "at least 6 heads, not width 384 with 4 heads");
    config = matcher_config(w);
    config.tied = false;
    check_refused(w, &config, "matcher", true, "tied output");
    config = matcher_config(w);
    config.feed_width = 64;
    check_refused(w, &config, "matcher", true, "a feed_width of at least 116, not 64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_matcher__looks_at_labels_and_copies_them),
        cmocka_unit_test(test_start_matcher__favours_what_the_text_is_about),
        cmocka_unit_test(test_start_matcher__the_same_seed_gives_the_same_weights),
        cmocka_unit_test(test_start_matcher__says_what_it_cannot_lay_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
