/* tests/train/source_world.h - a small world for sources: a tokenizer trained on its own texts, a
 * labelled pool with vectors and an unlabelled one, label words and held words. */
#ifndef TESTS_TRAIN_SOURCE_WORLD_H
#define TESTS_TRAIN_SOURCE_WORLD_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "train/source.h"

enum {
    WORLD_LABELS = 6,
    WORLD_ITEMS = 240, /* of the labelled pool: item i has label i % WORLD_LABELS */
    WORLD_TEXTS = 40,
    WORLD_COLUMNS = 12,
    WORLD_WORDS = 10,
    WORLD_HELD = 9,
};

typedef struct source_world {
    icl_bpe *bpe;
    char texts[WORLD_ITEMS][96];
    char *items[WORLD_ITEMS], *lines[WORLD_TEXTS];
    uint32_t labels[WORLD_ITEMS];
    float vectors[WORLD_ITEMS * WORLD_COLUMNS];
    icl_pool labelled, plain;
    icl_pool *pools[2];
    icl_source_world world;
} source_world;

static const char *const world_names[WORLD_LABELS] = { "book hotel", "play music", "ask weather",
                                                       "set alarm",  "rate film",  "make call" };
static const char *const world_words[WORLD_WORDS] = { "red",  "green", "blue",  "one",  "two",
                                                      "good", "bad",   "north", "west", "keep" };
static const char *const world_held[WORLD_HELD] = { "keep", "left", "up",  "yes", "fast",
                                                    "near", "old",  "dog", "cold" };

/* Every text is different, and its label shows in its words and its vector. */
static inline void world_fill_items(source_world *w)
{
    static const char *const verbs[] = { "please", "now", "kindly", "today", "again" };
    icl_rng rng = icl_rng_new(1, "source", "world", "items");
    for (size_t i = 0; i < WORLD_ITEMS; i++) {
        const size_t label = i % WORLD_LABELS;
        snprintf(w->texts[i], sizeof w->texts[i], "%s %s number %zu of them, %s", verbs[i % 5],
                 world_names[label], i, verbs[i / 7 % 5]);
        w->items[i] = w->texts[i];
        w->labels[i] = (uint32_t)label;
        double square = 0;
        float *vector = w->vectors + i * WORLD_COLUMNS;
        for (size_t d = 0; d < WORLD_COLUMNS; d++) {
            vector[d] = (float)icl_rng_normal(&rng) + (d == label ? 2.0F : 0);
            square += (double)vector[d] * (double)vector[d];
        }
        for (size_t d = 0; d < WORLD_COLUMNS; d++) vector[d] /= (float)sqrt(square);
    }
}

static inline void world_fill_lines(source_world *w)
{
    for (size_t i = 0; i < WORLD_TEXTS; i++) {
        const size_t bytes = 4096;
        char *text = w->lines[i] = calloc(bytes, 1);
        assert_non_null(text);
        /* Texts of 1 to 20 sentences, some longer than a sequence, some shorter. */
        for (size_t s = 0, used = 0; s <= i % 20; s++)
            used += (size_t)snprintf(text + used, bytes - used,
                                     "%sThe story %zu goes on, part %zu; nobody knows \xC3\xA9t\xC3"
                                     "\xA9 or \xE4\xBD\xA0\xE5\xA5\xBD.",
                                     s == 0       ? ""
                                     : s % 3 == 0 ? "\n"
                                                  : " ",
                                     i, s);
    }
}

static inline void world_train_bpe(source_world *w, size_t vocab_count)
{
    icl_bpe_trainer *trainer = NULL;
    assert_int_equal(icl_bpe_trainer_new(&trainer), ICL_OK);
    for (size_t i = 0; i < WORLD_ITEMS; i++)
        icl_bpe_trainer_feed(trainer, w->texts[i], strlen(w->texts[i]), 1);
    for (size_t i = 0; i < WORLD_TEXTS; i++)
        icl_bpe_trainer_feed(trainer, w->lines[i], strlen(w->lines[i]), 1);
    for (char letter = 'a'; letter <= 'z'; letter++) {
        const char words[] = { ' ', letter, ' ', (char)(letter - 'a' + 'A'), '\0' };
        icl_bpe_trainer_feed(trainer, words, 4, 3);
    }
    for (size_t i = 0; i < WORLD_WORDS; i++) {
        char word[16];
        snprintf(word, sizeof word, " %s", world_words[i]);
        icl_bpe_trainer_feed(trainer, word, strlen(word), 20);
    }
    const icl_bpe_options options = { .vocab_count = vocab_count, .pair_count_min = 2 };
    assert_int_equal(icl_bpe_train(&w->bpe, trainer, &options), ICL_OK);
    icl_bpe_trainer_free(trainer);
}

static inline int source_world_setup(void **state)
{
    source_world *w = calloc(1, sizeof *w);
    if (w == NULL) return -1;
    world_fill_items(w);
    world_fill_lines(w);
    world_train_bpe(w, 600);
    w->labelled = (icl_pool){ .name = "intents",
                              .count = WORLD_ITEMS,
                              .texts = w->items,
                              .labels = w->labels,
                              .label_count = WORLD_LABELS,
                              .label_names = (char **)world_names,
                              .vector_size = WORLD_COLUMNS,
                              .vectors = w->vectors,
                              .vector_count = WORLD_ITEMS };
    w->plain = (icl_pool){ .name = "stories", .count = WORLD_TEXTS, .texts = w->lines };
    w->pools[0] = &w->labelled;
    w->pools[1] = &w->plain;
    w->world = (icl_source_world){ .bpe = w->bpe,
                                   .pools = w->pools,
                                   .pool_count = 2,
                                   .label_words = world_words,
                                   .label_word_count = WORLD_WORDS,
                                   .held_words = world_held,
                                   .held_word_count = WORLD_HELD,
                                   .context = 400,
                                   .seed = 7 };
    *state = w;
    return 0;
}

static inline int source_world_teardown(void **state)
{
    source_world *w = *state;
    icl_bpe_free(w->bpe);
    for (size_t i = 0; i < WORLD_TEXTS; i++) free(w->lines[i]);
    free(w);
    return 0;
}

static inline icl_source *open_source(const icl_source_world *world, const char *call)
{
    icl_source *source = NULL;
    if (icl_source_open(&source, call, world) != ICL_OK)
        fail_msg("%s: %s", call, icl_error_message());
    return source;
}

static inline void draw_well(icl_source *source, icl_sequence *out, uint64_t index)
{
    if (icl_source_draw(source, out, index) != ICL_OK)
        fail_msg("%s: %s", icl_source_name(source), icl_error_message());
}

/* The text of tokens first..end-1; malloc'd. */
static inline char *text_of(const icl_bpe *bpe, const icl_sequence *sequence, size_t first,
                            size_t end)
{
    icl_text text = { 0 };
    for (size_t i = first; i < end; i++) {
        size_t length = 0;
        const char *piece = icl_bpe_piece(bpe, sequence->tokens[i], &length);
        icl_text_append(&text, piece, length);
    }
    char *taken = icl_text_take(&text, NULL);
    return taken != NULL ? taken : calloc(1, 1);
}

#endif
