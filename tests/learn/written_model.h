/* written_model.h - small tokenizers and models to be written, and what the trainer computes. */
#ifndef ICL_TESTS_LEARN_WRITTEN_MODEL_H
#define ICL_TESTS_LEARN_WRITTEN_MODEL_H

#include <stdio.h>
#include <unistd.h>

#include "learn/model_file.h"
#include "learn/trainee.h"

enum { TEXT_TOKENS = 24 };

/* Each test works in a folder of its own. */
static inline int enter_scratch(void **state)
{
    static char folder[64];
    strcpy(folder, "model-file-XXXXXX");
    *state = mkdtemp(folder);
    return *state == NULL || chdir(folder) != 0;
}

static inline int leave_scratch(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    return chdir("..") != 0 || system(command) != 0;
}

static inline icl_device *open_cpu(void)
{
    const icl_device_options options = { .name = "cpu", .thread_count = 1 };
    icl_device *device = NULL;
    assert_ok(icl_device_open(&device, &options));
    return device;
}

/* 300 tokens: "<|endoftext|>", the bytes, merges. */
static inline icl_bpe *small_bpe(void)
{
    static const char text[] =
        "When shall we three meet again? In thunder, lightning, or in rain? When the hurly-burly's "
        "done, when the battle's lost and won. That will be ere the set of sun. Where the place?";
    const icl_bpe_options options = { .vocab_count = 300, .pair_count_min = 2 };
    icl_bpe_trainer *trainer = NULL;
    icl_bpe *bpe = NULL;
    assert_ok(icl_bpe_trainer_new(&trainer));
    assert_ok(icl_bpe_trainer_feed(trainer, text, strlen(text), 2));
    assert_ok(icl_bpe_train(&bpe, trainer, &options));
    assert_int_equal(icl_bpe_vocab_count(bpe), 300);
    icl_bpe_trainer_free(trainer);
    return bpe;
}

static inline icl_transformer_config written_config(void)
{
    icl_transformer_config config = small_config();
    config.vocab_count = 300;
    config.window = 64;
    return config;
}

/* Weights far enough from their start for logits to differ by whole nats. */
static inline icl_transformer *random_model(icl_device *device,
                                            const icl_transformer_config *config)
{
    icl_transformer *model = NULL;
    assert_ok(icl_transformer_new(&model, device, config));
    assert_ok(icl_transformer_start(model, 7));
    scatter_weights(icl_transformer_parameters(model), 0.2);
    return model;
}

static inline void draw_tokens(int32_t tokens[TEXT_TOKENS], size_t vocab_count)
{
    icl_rng rng = icl_rng_new(5, "written", NULL, "tokens");
    for (size_t i = 0; i < TEXT_TOKENS; i++) tokens[i] = (int32_t)icl_rng_below(&rng, vocab_count);
}

static inline double largest_difference(const float *a, const float *b, size_t count)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)a[i] - (double)b[i]));
    return largest;
}

#endif
