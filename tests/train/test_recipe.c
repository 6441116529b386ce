/* Recipes: what they say, what they leave open, and the sentence for each mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "near.h"
#include "train/recipe.h"

static icl_recipe *parse_ok(const char *text)
{
    icl_recipe *recipe = NULL;
    if (icl_recipe_parse(&recipe, text, strlen(text), "folder/r.yaml") != ICL_OK)
        fail_msg("%s", icl_error_message());
    return recipe;
}

#define MODEL     "model: { layers: 2, width: 16, heads: 2, feed_width: 32, window: 64 }\n"
#define TOKENIZER "tokenizer: { vocabulary: 300 }\n"
#define PHASE(more)                                                                                \
    "phases:\n  - { name: a, steps: 5, context: 32, rows: 2, loss: { text: 1 }, " more             \
    "mixture: [{ source: repeats }] }\n"
#define WHOLE MODEL TOKENIZER PHASE("")

static void test_recipe__a_full_recipe_says_everything(void **state)
{
    icl_recipe *recipe = parse_ok(
        "name: tiny-1.0\nseed: 7\n"
        "model: { layers: 3, width: 24, heads: 4, kv_heads: 2, head_width: 8, feed: gelu,\n"
        "         feed_width: 48, window: 128, norm: layer, positions: learned, tied: false,\n"
        "         linear_attention: true, biases: true, rope_base: 5e5, norm_epsilon: 1e-6,\n"
        "         readout: 12 }\n"
        "tokenizer: { vocabulary: 400, data: [texts] }\n"
        "freeze: [token_embd, blk.0]\n"
        "encoder: e.gguf\nstart: \"random(size=width)\"\n"
        "labels: { words: [good, 'no'], held: [red] }\n"
        "data:\n"
        "  texts: { file: a.txt, cut: sentences, words: 4-30, items: 100, vectors: 10, terms: free "
        "}\n"
        "  pairs: { file: b.jsonl, text: premise+hypothesis, label: gold, where: { split: train } "
        "}\n"
        "phases:\n"
        "  - name: one\n    steps: 10\n    context: 64\n    rows: 4\n    micro: 2\n"
        "    rate: { peak: 2e-3, end: 1e-4, shape: linear, warmup: 3 }\n"
        "    adam: { beta1: 0.8, beta2: 0.99, epsilon: 1e-6, decay: 0.2, clip: 2 }\n"
        "    loss: { over: vocabulary, answer: 2, text: 0.5, meaning: 3, meaning_layer: 1 }\n"
        "    room: { answers: 11, texts: 22, meanings: 33, candidates: 44 }\n"
        "    mixture:\n"
        "      - { source: \"labelled(data=pairs)\", weight: 0.25 }\n"
        "      - source: text(data=texts)\n"
        "  - { name: two, steps: 4, context: 128, rows: 1, loss: { text: 1 },\n"
        "      mixture: { source: repeats, weight: 2 } }\n"
        "evaluate: { every: 5, episodes: 9, context: 96, sets: { name: s, source: repeats } }\n"
        "checkpoint: { every: 3 }\nlog: { every: 2 }\n"
        "output: { type: none, license: CC0, description: nothing much }\n");
    assert_string_equal(recipe->name, "tiny-1.0");
    assert_int_equal(recipe->seed, 7);
    const icl_transformer_config *model = &recipe->model;
    assert_int_equal(model->layers * 1000 + model->width, 3024);
    assert_int_equal(model->heads * 100 + model->kv_heads * 10 + model->head_width, 428);
    assert_int_equal(model->feed, ICL_FEED_GELU);
    assert_int_equal(model->norm, ICL_NORM_LAYER);
    assert_int_equal(model->positions, ICL_POSITIONS_LEARNED);
    assert_true(model->linear_attention && model->biases && !model->tied);
    assert_near((double)model->rope_base, 5e5, 0);
    assert_int_equal(model->readout_width, 12);
    assert_string_equal(model->frozen[1], "blk.0");
    assert_null(model->frozen[2]);
    assert_string_equal(recipe->tokenizer_pools.items[0], "texts");
    assert_string_equal(recipe->label_words.items[1], "no");
    assert_string_equal(recipe->held_words.items[0], "red");

    assert_int_equal(recipe->pool_count, 2);
    const icl_recipe_pool *texts = &recipe->pools[0], *pairs = &recipe->pools[1];
    assert_int_equal(texts->cut, ICL_CUT_SENTENCES);
    assert_int_equal(texts->words_min * 100 + texts->words_max, 430);
    assert_int_equal(texts->items_max, 100);
    assert_int_equal(texts->vectors_max, 10);
    assert_string_equal(texts->terms, "free");
    assert_string_equal(pairs->text_field, "premise+hypothesis");
    assert_string_equal(pairs->label_field, "gold");
    assert_string_equal(pairs->where_field, "split");
    assert_string_equal(pairs->where_value, "train");

    assert_int_equal(recipe->phase_count, 2);
    const icl_recipe_phase *one = &recipe->phases[0];
    assert_int_equal(one->micro_batches, 2);
    assert_int_equal(one->optimizer.shape, ICL_RATE_LINEAR);
    assert_near(one->optimizer.rate, 2e-3, 0);
    assert_near(one->optimizer.rate_end, 1e-4, 0);
    assert_int_equal(one->optimizer.warmup_steps, 3);
    assert_int_equal(one->optimizer.step_count, 10);
    assert_near(one->optimizer.clip_norm, 2, 0);
    assert_int_equal(one->answers_over, ICL_OVER_VOCABULARY);
    assert_near(one->answer_weight + one->text_weight + one->meaning_weight, 5.5, 0);
    assert_int_equal(one->meaning_layer, 1);
    assert_int_equal(one->limits.answers_max, 11);
    assert_int_equal(one->limits.candidates_max, 44);
    assert_near(one->sources[0].weight, 0.25, 0);
    assert_near(one->sources[1].weight, 1, 0);
    assert_string_equal(one->sources[1].call, "text(data=texts)");
    assert_int_equal(recipe->evaluate_every, 5);
    assert_int_equal(recipe->evaluate_context, 96);
    assert_string_equal(recipe->sets[0].name, "s");
    assert_int_equal(recipe->checkpoint_every * 10 + recipe->log_every, 32);
    assert_false(recipe->writes_model);
    assert_string_equal(recipe->license, "CC0");
    icl_recipe_close(recipe);
}

static void test_recipe__much_may_be_left_out(void **state)
{
    icl_recipe *recipe = parse_ok(WHOLE);
    assert_string_equal(recipe->name, "r");
    assert_string_equal(recipe->start, "random");
    assert_int_equal(recipe->model.norm, ICL_NORM_RMS);
    assert_int_equal(recipe->output_type, ICL_WEIGHT_Q8_0);
    assert_true(recipe->writes_model);
    assert_int_equal(recipe->evaluate_context, 32);
    const icl_recipe_phase *phase = &recipe->phases[0];
    assert_int_equal(phase->micro_batches, 1);
    assert_int_equal(phase->limits.texts_max, 64);
    assert_int_equal(phase->limits.answers_max, 9);
    assert_int_equal(phase->limits.candidates_max, 256);
    assert_near(phase->answer_weight, 0, 0);
    icl_recipe_close(recipe);
}

static void test_recipe__the_end_of_a_rate_is_a_tenth_of_its_peak(void **state)
{
    icl_recipe *recipe = parse_ok(MODEL TOKENIZER PHASE("rate: { peak: 5e-3 }, "));
    assert_near(recipe->phases[0].optimizer.rate_end, 5e-4, 1e-15);
    icl_recipe_close(recipe);
}

static void test_recipe__mistakes_are_named_by_place(void **state)
{
    static const char *const cases[][2] = {
        { "seed: 1\nmodle: {}\n", "r.yaml:2:1: unknown key \"modle\"; did you mean \"model\"?" },
        { "model: { layers: 0 }\n",
          "r.yaml:1:18: layers is \"0\", not a whole number in 1..16777216" },
        { "model: { width: 30, heads: 4 }\n", "r.yaml:1:1: heads 4 does not divide width 30" },
        { "model: { norm: batch }\n",
          "r.yaml:1:16: value \"batch\" is not one of rms, layer, none" },
        { "name: a/b\n", "r.yaml:1:7: name \"a/b\" is not made of letters, digits, -, _ and ." },
        { "tokenizer: { data: [a] }\n",
          "r.yaml:1:14: a tokenizer is either trained to a `vocabulary` or taken from a `file`" },
        { "tokenizer: { vocabulary: 100 }\n",
          "r.yaml:1:26: vocabulary is \"100\", not a whole number in 257..16777216" },
        { "labels: { words: [a, b, a] }\n", "r.yaml:1:25: \"a\" stands twice" },
        { "data: { a: { text: t } }\n", "r.yaml:1:14: pool \"a\" names no file" },
        { "data: { a: { file: f, where: { x: 1, y: 2 } } }\n",
          "r.yaml:1:38: only one field can be asked for in `where`" },
        { "start: randon\n",
          "r.yaml:1:8: unknown start method \"randon\"; did you mean \"random\"?" },
        { "phases:\n  - name: a\n    steps: 5\n",
          "r.yaml:2:5: a phase needs name, steps, context, rows and a mixture" },
        { "phases:\n  - { name: a, steps: 5, context: 8, rows: 1, mixture: [{ source: repeats }] "
          "}\n",
          "r.yaml:2:7: phase \"a\" says nothing of its loss" },
        { "phases:\n  - mixture:\n      - { source: \"repeats(period=4-2)\", wieght: 1 }\n",
          "r.yaml:3:42: unknown key \"wieght\"; did you mean \"weight\"?" },
        { "phases:\n  - mixture:\n      - { source: \"repeat()\" }\n",
          "r.yaml:3:20: unknown source method \"repeat\"; did you mean \"repeats\"?" },
        { "phases:\n  - mixture: [{ source: repeats, weight: 0 }]\n",
          "r.yaml:2:17: the weights of the mixture add up to 0" },
        { "phases:\n  - loss: { text: 0 }\n",
          "r.yaml:2:13: the loss needs a weight for answer, text or meaning" },
        { "phases:\n  - rate: { peak: fast }\n",
          "r.yaml:2:19: peak is \"fast\", not a number in 0..1e+30" },
        { "evaluate: { sets: [{ name: a }] }\n",
          "r.yaml:1:22: an evaluation set needs a name and a source" },
        { "output: { type: q4 }\n",
          "r.yaml:1:17: value \"q4\" is not one of f32, f16, q8_0, none" },
        { "output: { also: q8_0 }\n", "r.yaml:1:17: value \"q8_0\" is not one of f32" },
        { "seed: 1\n", "r.yaml: the recipe has no `model`" },
        { MODEL, "r.yaml: the recipe has no `tokenizer`" },
        { MODEL TOKENIZER, "r.yaml: the recipe has no `phases`" },
        { MODEL "from: a.gguf\n",
          "r.yaml: a recipe has a `model` or goes on `from` a file, not both" },
        { MODEL TOKENIZER "lora: { rank: 4 }\n",
          "r.yaml: `lora` adapts a model `from` a file, but none is named" },
        { "from: a.gguf\n" TOKENIZER, "r.yaml: a model `from` a file brings its own tokenizer" },
        { MODEL TOKENIZER "phases: [{ name: a, steps: 5, context: 65, rows: 2, loss: { text: 1 }, "
                          "mixture: [{ source: repeats }] }]\n",
          "r.yaml: phase \"a\": a context of 65 is above the model's window of 64" },
        { MODEL TOKENIZER "phases: [{ name: a, steps: 5, context: 8, rows: 2, loss: { text: 1 }, "
                          "mixture: [{ source: text(data=novels) }] }]\n",
          "r.yaml: text(data=novels) names pool \"novels\", which is not under `data`" },
        { MODEL TOKENIZER
          "phases: [{ name: a, steps: 5, context: 8, rows: 2, loss: { meaning: 1 }, "
          "mixture: [{ source: repeats }] }]\n",
          "r.yaml: phase \"a\" has a loss of meaning, but the model has no `readout`, the width of "
          "the encoder's vectors" },
        { "data: { a: { file: f } }\n" MODEL TOKENIZER
          "phases: [{ name: a, steps: 5, context: 8, rows: 2, loss: { answer: 1 }, "
          "mixture: [{ source: directions(data=a) }] }]\n",
          "r.yaml: directions(data=a) needs sentence vectors, but the recipe names no encoder" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        icl_recipe *recipe = NULL;
        assert_int_equal(icl_recipe_parse(&recipe, cases[i][0], strlen(cases[i][0]), "r.yaml"),
                         ICL_EPARSE);
        assert_string_equal(icl_error_message(), cases[i][1]);
        assert_null(recipe);
    }
    icl_recipe *recipe = NULL;
    assert_int_equal(icl_recipe_open(&recipe, "no/such.yaml"), ICL_EIO);
    assert_null(recipe);
}

/* What decides the weights changes the fingerprint; what does not leaves it. */
static void test_recipe__fingerprint(void **state)
{
    static const struct {
        const char *text;
        bool same;
    } cases[] = {
        { "# a comment\n" WHOLE, true },
        { WHOLE "output: { type: f32 }\n", true },
        { WHOLE "checkpoint: { every: 2 }\nlog: { every: 5 }\n", true },
        { WHOLE "evaluate: { sets: { name: a, source: repeats } }\n", true },
        { WHOLE "name: other\n", true },
        { WHOLE "seed: 1\n", false },
        { WHOLE "freeze: [token_embd]\n", false },
        { WHOLE "labels: { words: [a] }\n", false },
        { WHOLE "start: random(size=width)\n", false },
        { WHOLE "data: { a: { file: b } }\n", false },
        { MODEL "tokenizer: { vocabulary: 301 }\n" PHASE(""), false },
        { MODEL TOKENIZER PHASE("micro: 2, "), false },
        { MODEL TOKENIZER PHASE("rate: { peak: 2e-3 }, "), false },
        { MODEL TOKENIZER PHASE("room: { texts: 63 }, "), false },
    };
    icl_recipe *recipe = parse_ok(WHOLE);
    assert_int_equal(strlen(recipe->fingerprint), 32);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        icl_recipe *other = parse_ok(cases[i].text);
        if ((strcmp(other->fingerprint, recipe->fingerprint) == 0) != cases[i].same)
            fail_msg("case %zu: %s", i, cases[i].text);
        icl_recipe_close(other);
    }
    icl_recipe_close(recipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipe__a_full_recipe_says_everything),
        cmocka_unit_test(test_recipe__much_may_be_left_out),
        cmocka_unit_test(test_recipe__the_end_of_a_rate_is_a_tenth_of_its_peak),
        cmocka_unit_test(test_recipe__mistakes_are_named_by_place),
        cmocka_unit_test(test_recipe__fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
