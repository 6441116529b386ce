/* Merges are chosen as the PyPI package `tokenizers` does: the most frequent pair first, among
 * equals the one of the lowest ids. Counts are kept by difference. A queue entry owns the words in
 * which its pair came up; when the count has changed since, it goes back with the new one. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "base/quote.h"
#include "learn/bpe_model.h"
#include "learn/bpe_split.h"

/* ---- counting words ---- */

struct icl_bpe_trainer {
    icl_word_table words;
    uint64_t *counts; /* [words.count] */
    size_t capacity;
};

icl_status icl_bpe_trainer_new(icl_bpe_trainer **out)
{
    icl_bpe_trainer *trainer = calloc(1, sizeof *trainer);
    if (trainer == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a tokenizer");
    *out = trainer;
    return ICL_OK;
}

void icl_bpe_trainer_free(icl_bpe_trainer *trainer)
{
    if (trainer == NULL) return;
    icl_word_table_deinit(&trainer->words);
    free(trainer->counts);
    free(trainer);
}

static icl_status count_word(icl_bpe_trainer *trainer, const char *word, size_t length,
                             uint64_t times)
{
    size_t index = 0;
    ICL_TRY(icl_array_reserve(&trainer->counts, &trainer->capacity, trainer->words.count + 1));
    const size_t known = trainer->words.count;
    ICL_TRY(icl_word_table_add(&index, &trainer->words, word, length));
    trainer->counts[index] = (index < known ? trainer->counts[index] : 0) + times;
    return ICL_OK;
}

icl_status icl_bpe_trainer_feed(icl_bpe_trainer *trainer, const char *text, size_t length,
                                uint64_t times)
{
    ICL_TRY(icl_bpe_check_text(text, length));
    for (size_t at = 0, end; at < length; at = end) {
        end = icl_bpe_word_end(text, length, at);
        ICL_TRY(count_word(trainer, text + at, end - at, times));
    }
    return ICL_OK;
}

/* ---- the state of training ---- */

typedef struct word_list {
    uint32_t *words;
    size_t count, capacity;
} word_list;

typedef struct pair_state {
    icl_pair pair;
    int64_t count;
    word_list fresh; /* words in which it came up during the current merge */
} pair_state;

typedef struct bpe_training {
    icl_bpe *bpe;
    const icl_bpe_trainer *trainer;
    int32_t *symbols; /* those of word w stand from trainer->words.starts[w] on */
    uint32_t *lengths;
    icl_pair_table index; /* pair -> place in `pairs` */
    pair_state *pairs;
    size_t pair_count, pair_capacity;
    uint32_t *touched; /* pairs with fresh words */
    size_t touched_count, touched_capacity;
    icl_heap queue; /* most frequent first: by ~count, then by ids; the value is a place in .. */
    word_list *entries; /* .. here */
    size_t entry_count, entry_capacity;
} bpe_training;

static void training_deinit(bpe_training *training)
{
    for (size_t i = 0; i < training->pair_count; i++) free(training->pairs[i].fresh.words);
    for (size_t i = 0; i < training->entry_count; i++) free(training->entries[i].words);
    free(training->symbols);
    free(training->lengths);
    icl_pair_table_deinit(&training->index);
    free(training->pairs);
    free(training->touched);
    icl_heap_deinit(&training->queue);
    free(training->entries);
}

static icl_status place_of_pair(uint32_t *out, bpe_training *training, icl_pair pair)
{
    const uint32_t fresh = (uint32_t)training->pair_count;
    uint32_t *place = icl_pair_table_at(&training->index, pair, fresh);
    if (place == NULL) return ICL_ENOMEM;
    *out = *place;
    if (*place != fresh) return ICL_OK;
    ICL_TRY(
        icl_array_reserve(&training->pairs, &training->pair_capacity, training->pair_count + 1));
    training->pairs[training->pair_count++] = (pair_state){ .pair = pair };
    return ICL_OK;
}

static icl_status lose_pair(bpe_training *training, icl_pair pair, uint32_t word)
{
    uint32_t place = 0;
    ICL_TRY(place_of_pair(&place, training, pair));
    training->pairs[place].count -= (int64_t)training->trainer->counts[word];
    return ICL_OK;
}

static icl_status gain_pair(bpe_training *training, icl_pair pair, uint32_t word)
{
    uint32_t place = 0;
    ICL_TRY(place_of_pair(&place, training, pair));
    pair_state *state = &training->pairs[place];
    state->count += (int64_t)training->trainer->counts[word];
    word_list *fresh = &state->fresh;
    if (fresh->count > 0 && fresh->words[fresh->count - 1] == word) return ICL_OK;
    if (fresh->count == 0) {
        ICL_TRY(icl_array_reserve(&training->touched, &training->touched_capacity,
                                  training->touched_count + 1));
        training->touched[training->touched_count++] = place;
    }
    ICL_TRY(icl_array_reserve(&fresh->words, &fresh->capacity, fresh->count + 1));
    fresh->words[fresh->count++] = word;
    return ICL_OK;
}

static icl_status push_entry(bpe_training *training, icl_pair pair, int64_t count, size_t entry)
{
    return icl_heap_push(&training->queue,
                         (icl_heap_entry){ ~(uint64_t)count, icl_pair_key(pair), entry });
}

/* Pairs that came up enter the queue with the words where they did. */
static icl_status queue_touched(bpe_training *training)
{
    for (size_t i = 0; i < training->touched_count; i++) {
        pair_state *state = &training->pairs[training->touched[i]];
        ICL_TRY(icl_array_reserve(&training->entries, &training->entry_capacity,
                                  training->entry_count + 1));
        const size_t entry = training->entry_count++;
        training->entries[entry] = state->fresh;
        state->fresh = (word_list){ 0 };
        if (state->count > 0) ICL_TRY(push_entry(training, state->pair, state->count, entry));
    }
    training->touched_count = 0;
    return ICL_OK;
}

static int32_t *symbols_of(const bpe_training *training, uint32_t word)
{
    return training->symbols + training->trainer->words.starts[word];
}

/* Words become the tokens of their bytes. */
static icl_status fill_symbols(bpe_training *training)
{
    const icl_word_table *words = &training->trainer->words;
    training->symbols = malloc((words->byte_count + 1) * sizeof *training->symbols);
    training->lengths = malloc((words->count + 1) * sizeof *training->lengths);
    if (training->symbols == NULL || training->lengths == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu words", words->count);
    for (uint32_t word = 0; word < words->count; word++) {
        size_t length = 0;
        const char *bytes = icl_word_table_at(words, word, &length);
        int32_t *symbols = symbols_of(training, word);
        for (size_t i = 0; i < length; i++)
            symbols[i] = training->bpe->byte_ids[(unsigned char)bytes[i]];
        training->lengths[word] = (uint32_t)length;
        for (size_t i = 0; i + 1 < length; i++)
            ICL_TRY(gain_pair(training, (icl_pair){ symbols[i], symbols[i + 1] }, word));
    }
    return queue_touched(training);
}

/* ---- merging ---- */

/* Replaces the pair in a word from left to right. A neighbour on the left has been merged already,
 * one on the right not yet; so the counts of overlapping pairs come out as the reference's. */
static icl_status merge_word(bpe_training *training, uint32_t word, icl_pair pair, int32_t merged)
{
    int32_t *symbols = symbols_of(training, word);
    const size_t length = training->lengths[word];
    size_t kept = 0;
    for (size_t i = 0; i < length; i++) {
        const bool here = symbols[i] == pair.left && i + 1 < length && symbols[i + 1] == pair.right;
        if (!here) {
            symbols[kept++] = symbols[i];
            continue;
        }
        if (kept > 0) {
            const int32_t before = symbols[kept - 1];
            ICL_TRY(lose_pair(training, (icl_pair){ before, pair.left }, word));
            ICL_TRY(gain_pair(training, (icl_pair){ before, merged }, word));
        }
        if (i + 2 < length) {
            const int32_t after = symbols[i + 2];
            ICL_TRY(lose_pair(training, (icl_pair){ pair.right, after }, word));
            ICL_TRY(gain_pair(training, (icl_pair){ merged, after }, word));
        }
        symbols[kept++] = merged;
        i++;
    }
    training->lengths[word] = (uint32_t)kept;
    return ICL_OK;
}

/* The token that the pair makes; it may be there already, reached by another way. */
static icl_status token_of_pair(int32_t *out, icl_bpe *bpe, icl_pair pair, icl_text *scratch)
{
    *out = icl_bpe_joined(bpe, pair, scratch);
    ICL_TRY(icl_text_status(scratch));
    if (*out >= 0) return ICL_OK;
    *out = (int32_t)bpe->spellings.count;
    return icl_bpe_add_token(bpe, scratch->bytes, scratch->length, false);
}

static icl_status merge_pair(bpe_training *training, icl_pair pair, const word_list *words,
                             icl_text *scratch)
{
    int32_t merged = -1;
    ICL_TRY(token_of_pair(&merged, training->bpe, pair, scratch));
    ICL_TRY(icl_bpe_add_merge(training->bpe, pair, merged));
    for (size_t i = 0; i < words->count; i++)
        ICL_TRY(merge_word(training, words->words[i], pair, merged));
    return queue_touched(training);
}

static icl_status merge_pairs(bpe_training *training, const icl_bpe_options *options,
                              icl_text *scratch)
{
    const uint64_t count_min = options->pair_count_min == 0 ? 2 : options->pair_count_min;
    while (training->bpe->spellings.count < options->vocab_count && training->queue.count > 0) {
        const icl_heap_entry entry = icl_heap_pop(&training->queue);
        const icl_pair pair = icl_pair_of_key(entry.second);
        uint32_t place = 0;
        ICL_TRY(place_of_pair(&place, training, pair));
        const uint64_t count = (uint64_t)training->pairs[place].count;
        if (~entry.first != count) {
            ICL_TRY(push_entry(training, pair, (int64_t)count, entry.value));
            continue;
        }
        if (count < count_min) break;
        word_list words = training->entries[entry.value];
        training->entries[entry.value] = (word_list){ 0 };
        const icl_status status = merge_pair(training, pair, &words, scratch);
        free(words.words);
        ICL_TRY(status);
    }
    return ICL_OK;
}

/* ---- the whole ---- */

static const char *const specials_default[] = { "<|endoftext|>", NULL };

/* Specials first, then the bytes in the order of their printable characters. */
static icl_status add_alphabet(icl_bpe *bpe, const icl_bpe_options *options)
{
    const char *const *specials = options->specials != NULL ? options->specials : specials_default;
    for (size_t i = 0; specials[i] != NULL; i++)
        ICL_TRY(icl_bpe_add_token(bpe, specials[i], strlen(specials[i]), true));
    if (specials[0] != NULL) bpe->end_of_text = 0;
    for (int code = 0; code < ICL_BPE_CODES; code++) {
        const int byte = bpe->byte_of_code[code];
        if (byte < 0 || bpe->byte_ids[byte] >= 0) continue;
        const char *spelling = bpe->byte_spellings[byte];
        ICL_TRY(icl_bpe_add_token(bpe, spelling, strnlen(spelling, 2), false));
    }
    if (options->vocab_count < bpe->spellings.count)
        return icl_error_set(ICL_EINVAL,
                             "a vocabulary of %zu tokens cannot hold the 256 bytes and the special "
                             "tokens, %zu in all",
                             options->vocab_count, bpe->spellings.count);
    return ICL_OK;
}

icl_status icl_bpe_train(icl_bpe **out, const icl_bpe_trainer *trainer,
                         const icl_bpe_options *options)
{
    bpe_training training = { .trainer = trainer };
    icl_text scratch = { 0 };
    icl_status status = icl_bpe_new(&training.bpe);
    if (status == ICL_OK) status = add_alphabet(training.bpe, options);
    if (status == ICL_OK) status = fill_symbols(&training);
    if (status == ICL_OK) status = merge_pairs(&training, options, &scratch);
    if (status == ICL_OK) status = icl_bpe_finish(training.bpe);
    if (status == ICL_OK)
        *out = training.bpe;
    else
        icl_bpe_free(training.bpe);
    icl_text_deinit(&scratch);
    training_deinit(&training);
    return status;
}
